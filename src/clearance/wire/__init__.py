"""The ASCEND JSON: the only room that knows its field names and words.

``vocabulary`` has the words of both sides, ``strictjson`` reads text that may be hostile, ``asking`` is the
client's half (commands out, decisions in) and ``answering`` the server's (submissions in, decisions out).
"""
