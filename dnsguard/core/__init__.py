"""What is decided: pure code, without file, socket, clock, log or third-party import."""
