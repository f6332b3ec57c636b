# Checks of a build; each raises an error of one sentence, which ends the build without a bitstream.
namespace eval m3vit {}

proc m3vit::check_version {found needed} {
    if {[package vcompare [regsub {[^0-9.].*} $found {}] $needed] < 0} {
        error "Vivado $needed or later is needed, this is $found"
    }
}

proc m3vit::check_board {name} {
    if {[llength [get_board_parts -quiet $name]] == 0} {
        error "the files of board part $name are not installed; get them with\
            `xhub::install` or from the Vivado store (Tools, XHub Stores, Boards)"
    }
}

# What the tool made of a cell's parameters must be what the metadata beside the bitstream says.
proc m3vit::check_cell {cell expected} {
    foreach {name value} $expected {
        set found [get_property CONFIG.$name [get_bd_cells $cell]]
        if {$found ne $value} {
            error "$cell: $name is $found, the metadata says $value; correct \[platform\] of the\
                board's file and write the project again"
        }
    }
}

# Unassigned segments of the processing system would be critical warnings.
proc m3vit::exclude_all_but {space kept} {
    set master [get_bd_addr_spaces $space]
    foreach segment [get_bd_addr_segs -quiet -addressables -of_objects $master] {
        if {[lsearch -exact $kept [file tail $segment]] < 0} {
            exclude_bd_addr_seg -target_address_space $master $segment
        }
    }
}

proc m3vit::check_run {run} {
    set progress [get_property PROGRESS [get_runs $run]]
    if {$progress ne "100%"} {
        error "$run ended at $progress ([get_property STATUS [get_runs $run]]), see\
            work/m3vit.runs/$run/runme.log"
    }
}

proc m3vit::read_report {path} {
    set stream [open $path]
    set text [read $stream]
    close $stream
    return $text
}

# Slacks of setup, hold and pulse width, endpoints without a clock, and the clock's rate.
proc m3vit::check_timing {path clock clock_mhz} {
    set text [read_report $path]
    set number {-?[0-9]+\.[0-9]+}
    set group "($number) +$number +\[0-9\]+ +\[0-9\]+"
    if {![regexp "WNS\\(ns\\)\[^\\n\]*\\n\[- \]*\\n *$group +$group +$group" $text all \
            setup hold pulse]} {
        error "$path holds no summary of slacks: nothing is constrained, or it is cut off"
    }
    foreach {kind slack} [list setup $setup hold $hold "pulse width" $pulse] {
        if {$slack < 0} {
            error "timing is not met: worst $kind slack is $slack ns, see $path"
        }
    }
    foreach kind {no_clock unconstrained_internal_endpoints} {
        if {![regexp "checking $kind \\((\[0-9\]+)\\)" $text all count] || $count > 0} {
            error "timing is not checked everywhere: $kind is not 0, see $path"
        }
    }
    set row [format {^ *%s +\{[^\}]*\} +%s +(%s)} $clock $number $number]
    if {![regexp -line $row $text all rate] || abs($rate - $clock_mhz) > 0.005 * $clock_mhz} {
        error "clock $clock is not at $clock_mhz MHz, see $path"
    }
}

# limits: names of rows with the largest share in percent; least: DSPs that our array must have.
proc m3vit::check_utilisation {path limits least} {
    set text [read_report $path]
    foreach {row limit} $limits {
        set pattern [format {^\| *%s\*? *\| *([0-9.]+) *\|.*\| *<?([0-9.]+) *\| *$} $row]
        if {![regexp -line $pattern $text all used share]} {
            error "$path has no row $row: it is another report, or cut off"
        }
        if {$share > $limit} {
            error "$row: $share % are used, at most $limit % can be placed and routed, see $path"
        }
        if {$row eq "DSPs" && $used < $least} {
            error "DSPs: $used are used, the array has $least: synthesis removed a part of the\
                machine, see $path"
        }
    }
}
