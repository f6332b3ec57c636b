"""Reports in the layout of Vivado's, with figures of our own."""

import re
from pathlib import Path

HEAD = """\
Copyright 1986-2022 Xilinx, Inc. All Rights Reserved.
--------------------------------------------------------------------------------
| Tool Version : Vivado v.2024.1 (lin64) Build 5076996 Wed May 22 18:36:09 MDT 2024
| Command      : {command}
| Design       : system_wrapper
| Device       : {device}
| Speed File   : -2  PRODUCTION 1.30 05-15-2022
| Design State : Routed
--------------------------------------------------------------------------------
"""

TIMING = (
    HEAD.format(command="report_timing_summary -file reports/timing.rpt", device="xczu7ev-ffvc1156")
    + """
Timing Summary Report

------------------------------------------------------------------------------------------------
| Timer Settings
| --------------
------------------------------------------------------------------------------------------------

  Enable Multi Corner Analysis               :  Yes

check_timing report

Table of Contents
-----------------
1. checking no_clock (0)
2. checking constant_clock (0)
3. checking pulse_width_clock (0)
4. checking unconstrained_internal_endpoints (0)

1. checking no_clock (0)
------------------------
 There are 0 register/latch pins with no clock.


------------------------------------------------------------------------------------------------
| Design Timing Summary
| ---------------------
------------------------------------------------------------------------------------------------

    WNS(ns)      TNS(ns)  TNS Failing Endpoints  TNS Total Endpoints      WHS(ns)      THS(ns)  \
THS Failing Endpoints  THS Total Endpoints     WPWS(ns)     TPWS(ns)  TPWS Failing Endpoints  \
TPWS Total Endpoints  
    -------      -------  ---------------------  -------------------      -------      -------  \
---------------------  -------------------     --------     --------  ----------------------  \
--------------------  
      0.021        0.000                      0               612345        0.010        0.000  \
                    0               612345        0.500        0.000                       0  \
              201234  


All user specified timing constraints are met.


------------------------------------------------------------------------------------------------
| Clock Summary
| -------------
------------------------------------------------------------------------------------------------

Clock     Waveform(ns)         Period(ns)      Frequency(MHz)
-----     ------------         ----------      --------------
clk_pl_0  {0.000 1.667}        3.334           299.940         
"""
)

UTILISATION = (
    HEAD.format(command="report_utilization -file reports/u.rpt", device="xczu7ev-ffvc1156-2-e")
    + """
Utilization Design Information

1. CLB Logic
------------

+----------------------------+--------+-------+------------+-----------+-------+
|          Site Type         |  Used  | Fixed | Prohibited | Available | Util% |
+----------------------------+--------+-------+------------+-----------+-------+
| CLB LUTs                   | 101234 |     0 |          0 |    230400 | 43.94 |
|   LUT as Logic             |  91234 |     0 |          0 |    230400 | 39.60 |
|   LUT as Memory            |  10000 |     0 |          0 |    101760 |  9.83 |
| CLB Registers              | 140000 |     0 |          0 |    460800 | 30.38 |
|   Register as Latch        |      0 |     0 |          0 |    460800 |  0.00 |
| F9 Muxes                   |      0 |     0 |          0 |     28800 | <0.01 |
+----------------------------+--------+-------+------------+-----------+-------+


3. BLOCKRAM
-----------

+-------------------+-------+-------+------------+-----------+-------+
|     Site Type     |  Used | Fixed | Prohibited | Available | Util% |
+-------------------+-------+-------+------------+-----------+-------+
| Block RAM Tile    | 282.5 |     0 |          0 |       312 | 90.54 |
|   RAMB36/FIFO*    |   282 |     0 |          0 |       312 | 90.38 |
|   RAMB18          |     1 |     0 |          0 |       624 |  0.16 |
| URAM              |    93 |     0 |          0 |        96 | 96.88 |
+-------------------+-------+-------+------------+-----------+-------+


4. ARITHMETIC
-------------

+----------------+------+-------+------------+-----------+-------+
|    Site Type   | Used | Fixed | Prohibited | Available | Util% |
+----------------+------+-------+------------+-----------+-------+
| DSPs           | 1712 |     0 |          0 |      1728 | 99.07 |
|   DSP48E2 only | 1712 |       |            |           |       |
+----------------+------+-------+------------+-----------+-------+
"""
)

POWER = (
    HEAD.format(command="report_power -file reports/power.rpt", device="xczu7ev-ffvc1156-2-e")
    + """
1. Summary
----------

+--------------------------+--------------+
| Total On-Chip Power (W)  | 9.876        |
| Design Power Budget (W)  | Unspecified* |
| Dynamic (W)              | 9.123        |
+--------------------------+--------------+
"""
)

BAD = {
    "setup": (
        "timing.rpt",
        "      0.021        0.000                      0",
        "     -0.120      -33.100                    412",
    ),
    "hold": ("timing.rpt", "0.010        0.000", "-0.010       -0.020"),
    "pulse width": ("timing.rpt", "0.500        0.000", "-0.100       -0.100"),
    "no_clock": ("timing.rpt", "1. checking no_clock (0)", "1. checking no_clock (12)"),
    "unconstrained_internal_endpoints": (
        "timing.rpt",
        "unconstrained_internal_endpoints (0)",
        "unconstrained_internal_endpoints (7)",
    ),
    "CLB LUTs": (
        "utilization.rpt",
        "101234 |     0 |          0 |    230400 | 43.94",
        "221234 |     0 |          0 |    230400 | 96.02",
    ),
    "Block RAM Tile": (
        "utilization.rpt",
        "282.5 |     0 |          0 |       312 | 90.54",
        "330.5 |     0 |          0 |       312 | 105.93",
    ),
    "DSPs": (
        "utilization.rpt",
        "DSPs           | 1712 |     0 |          0 |      1728 | 99.07",
        "DSPs           |   16 |     0 |          0 |      1728 |  0.93",
    ),
}
"""What is wrong, the report, and the good figures with the bad ones."""


def write_reports(folder: Path) -> Path:
    """A good build's reports, and those that no check reads."""
    folder.mkdir(parents=True, exist_ok=True)
    texts = {
        "timing.rpt": TIMING,
        "utilization.rpt": UTILISATION,
        "synthesis_utilization.rpt": UTILISATION,
        "power.rpt": POWER,
    }
    for name in ("hierarchy", "methodology", "drc"):
        texts[f"{name}.rpt"] = HEAD.format(command=name, device="xczu7ev-ffvc1156-2-e")
    for name, text in texts.items():
        (folder / name).write_text(text)
    return folder


def spoil(folder: Path, what: str) -> None:
    """Put one bad figure into the reports of ``folder``."""
    name, good, bad = BAD[what]
    path = folder / name
    text = path.read_text()
    assert good in text
    path.write_text(re.sub(re.escape(good), bad, text))
