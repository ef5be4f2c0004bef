"""What is true, whoever asks: pure functions and frozen values. No I/O and no clock: time comes in as an argument."""
