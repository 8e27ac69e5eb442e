"""The only code that tells others what happened: signed webhooks, out of the ledger's outbox, until they arrive.

Receivers are not trusted: every attempt ends in bounded time, of an answer little is read, and no redirect is followed.
"""
