# ZCU102.  The design has no pins of its own: DRAM, I2C (INA226 rails) and interrupt are the
# processing system's, and its IP declares the clock, clk_pl_0, that constrains every path of ours.

# A margin over what the processing system states: no MMCM cleans its clocks.
set_clock_uncertainty 0.050 [get_clocks clk_pl_0]

set_property BITSTREAM.GENERAL.COMPRESS TRUE [current_design]
set_property BITSTREAM.CONFIG.OVERTEMPSHUTDOWN ENABLE [current_design]
