"""Which pins and interfaces the vendor's IP has at given parameters, from its product guides."""

from collections.abc import Mapping

MASTERS = {
    "0": ("M_AXI_HPM0_FPD", "maxihpm0_fpd_aclk"),
    "1": ("M_AXI_HPM1_FPD", "maxihpm1_fpd_aclk"),
}
SLAVES = {
    "0": ("S_AXI_HPC0_FPD", "saxihpc0_fpd_aclk"),
    "1": ("S_AXI_HPC1_FPD", "saxihpc1_fpd_aclk"),
    "2": ("S_AXI_HP0_FPD", "saxihp0_fpd_aclk"),
    "3": ("S_AXI_HP1_FPD", "saxihp1_fpd_aclk"),
    "4": ("S_AXI_HP2_FPD", "saxihp2_fpd_aclk"),
    "5": ("S_AXI_HP3_FPD", "saxihp3_fpd_aclk"),
}


def axi_of(kind: str, settings: Mapping[str, str]) -> dict[str, str]:
    """AXI interfaces by name: ``master`` or ``slave``."""
    if kind == "zynq_ultra_ps_e":
        used = {
            name: "master"
            for n, (name, _) in MASTERS.items()
            if settings[f"PSU__USE__M_AXI_GP{n}"] == "1"
        }
        return used | {
            name: "slave"
            for n, (name, _) in SLAVES.items()
            if settings[f"PSU__USE__S_AXI_GP{n}"] == "1"
        }
    if kind == "smartconnect":
        found = {f"S{number:02}_AXI": "slave" for number in range(int(settings["NUM_SI"]))}
        return found | {f"M{number:02}_AXI": "master" for number in range(int(settings["NUM_MI"]))}
    return {"s_axi": "slave"} if kind == "axi_intc" else {}


def pins_of(kind: str, settings: Mapping[str, str]) -> dict[str, str]:
    """Pins that we may connect: ``clock``, ``low`` or ``high`` reset, ``interrupt``, or outputs."""
    if kind == "zynq_ultra_ps_e":
        axi = axi_of(kind, settings)
        clocks = [clock for name, clock in (*MASTERS.values(), *SLAVES.values()) if name in axi]
        outputs = {"pl_resetn0": "low out"}
        if settings["PSU__FPGA_PL0_ENABLE"] == "1":
            outputs["pl_clk0"] = "clock out"
        irq = {"pl_ps_irq0": "interrupt"} if settings["PSU__USE__IRQ0"] == "1" else {}
        return {**dict.fromkeys(clocks, "clock"), **outputs, **irq}
    return {
        "smartconnect": {"aclk": "clock", "aresetn": "low"},
        "axi_intc": {
            "s_axi_aclk": "clock",
            "s_axi_aresetn": "low",
            "intr": "interrupt",
            "irq": "interrupt out",
        },
        "proc_sys_reset": {
            "slowest_sync_clk": "clock",
            "ext_reset_in": "low",
            "peripheral_aresetn": "low out",
            "peripheral_reset": "high out",
        },
    }[kind]
