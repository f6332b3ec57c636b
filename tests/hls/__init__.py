"""Tests of the HLS part."""
