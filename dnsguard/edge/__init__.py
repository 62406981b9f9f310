"""What is done: one module for each outside thing; they never import one another."""
