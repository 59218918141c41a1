"""The criteria language: what a rule may say, how it is read, printed and turned into SQL.

Pure: no models, no queries. Attributes and dimensions are passed in, and the caller says where values are.
"""
