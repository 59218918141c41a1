"""The same rules in the engines a user would pick instead, fed from the same table and writing the same rows.

They read accounts through a cursor, decide in Python, and write back by COPY and one statement, as somebody who knows
the database would do it. They are given an easier task: no third truth value, no reasons, no losers, no history.
"""
