"""What a member asked for, on its way to the pipeline."""
