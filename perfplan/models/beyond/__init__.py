"""Models beyond those that plans use so far: one case at a time, in numbers. `perfplan.workbook.calculating` may use them.

Shapes: numbers, unless a function says otherwise.
"""
