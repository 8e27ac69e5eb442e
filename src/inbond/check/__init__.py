"""`inbond check`: what a lock looks like through the eyes of an index and its policy."""
