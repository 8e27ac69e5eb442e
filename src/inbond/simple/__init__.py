"""The Simple API, read and written: bytes in, values out, values in, bytes out. No I/O and no clock.

What comes in is hostile: every parser here is linear in its input, bounded by named limits, and raises nothing but
`UpstreamBroken`. What goes out is a pure function of its arguments, so that equal pages have equal ETags.
"""
