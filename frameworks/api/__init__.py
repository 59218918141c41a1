"""What every resource of the REST API is made of, and the resources of this app.

Nothing here knows tokens: who calls and what they may do is added where the addresses are listed.
"""
