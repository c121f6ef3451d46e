"""From one store of ours to another while the application runs: nobody is signed out, and who signed out stays out."""
