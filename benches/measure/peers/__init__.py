"""What people would use instead of ours, each for the part of it that it can do. Each is configured in a folder of its
own, with no more than it needs; a peer that isn't installed is left out."""
