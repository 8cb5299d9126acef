"""A second emulated tenant, written from the description of the API alone and as contrary as that description allows.

The first one (`tests.sap.emulator`) is what people try the product with. This one shares no code with it: where the
sources about the API disagree, or say nothing, a `Manner` says which way this tenant has.
"""
