"""The Pass numérique: vouchers from the envelope to the bank line. One package a capability, in the order money flows."""
