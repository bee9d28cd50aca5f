"""Why a Keras call failed."""
