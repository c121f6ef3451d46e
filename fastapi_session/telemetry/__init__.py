"""What OpenTelemetry is told: plain numbers that the engine counts, ages, and how long the store takes. No span of our own."""
