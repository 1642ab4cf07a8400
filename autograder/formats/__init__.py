"""Plain data that passes between rooms: values, cases, frames, and what a file that was handed in holds. Imports nothing of ours."""
