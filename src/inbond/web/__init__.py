"""The aiohttp application: routes, error mapping, views. Decides nothing about packages."""
