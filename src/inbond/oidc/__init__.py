"""What CI systems state about their jobs: OpenID Connect tokens, checked with the keys that their issuers publish.

The only code that asks an issuer. A statement that is wrong is refused; one that could not be checked, because its
issuer does not answer, is neither refused nor believed.
"""
