"""What has ended or changed since a token was issued, and who has to hear of it."""
