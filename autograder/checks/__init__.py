"""Where `my_transformer` packages that were saved by an older version of the course look for their command."""
