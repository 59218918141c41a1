"""The demo: a company's people and its way from a public list of companies to a framework in force.

It uses the services that people use; nothing is written around them. Company names, sectors, employees and revenue
are a public list (accounts/demo_data); everything a company would know of its customers is generated, and says so.
"""
