"""What `voucher verify` proves of settlement. It only reads, and every fault it looks for is planted by a test."""
