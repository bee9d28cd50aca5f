"""Draws a report: tables, trees and JSON."""
