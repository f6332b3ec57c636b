"""Energy from command counts: what each command costs, times how often it went."""

from m3vit.sim.dram import commands
from m3vit.sim.dram.channel import ChannelResult
from m3vit.sim.dram.table import MemoryTable


def energy_nj(table: MemoryTable, result: ChannelResult) -> dict[str, float]:
    """Energy of a run in nJ by command, and ``total``.

    Commands that the table names under several names (``ACT1``) count once; standby power is not
    part of it.
    """
    spent = {
        commands.NAMES[commands.BY_NAME[name]]: cost
        * result.commands[commands.NAMES[commands.BY_NAME[name]]]
        for name, cost in table.energy.command_nj.items()
    }
    return spent | {"total": sum(spent.values())}
