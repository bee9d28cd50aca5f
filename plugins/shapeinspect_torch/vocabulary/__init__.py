"""What torch calls things: kinds, functions, layouts, dtypes."""
