# Stands for Vivado under tclsh: records every command and answers the queries that scripts make.
# STUB_CALLS: file of records; STUB_REPORTS: folder that reports are taken from; STUB_ANSWERS: a
# dictionary of what get_property, version and others say.
set ::stub_calls [open $::env(STUB_CALLS) w]
fconfigure $::stub_calls -translation binary
array set ::stub_answers $::env(STUB_ANSWERS)

proc stub_record {name words} {
    puts -nonewline $::stub_calls "[join [list $name {*}$words] \x1f]\x1e"
    flush $::stub_calls
}

proc stub_answer {key default} {
    return [expr {[info exists ::stub_answers($key)] ? $::stub_answers($key) : $default}]
}

proc stub_value {name words} {
    set last [lindex $words end]
    switch -glob -- $name {
        get_property { return [stub_answer [lindex $words 0] {}] }
        get_board_parts { return [stub_answer board_parts $last] }
        get_bd_addr_segs {
            return [expr {"-addressables" in $words ? [stub_answer addressables {}] : $last}]
        }
        version { return [stub_answer version 2024.1] }
        current_project - current_fileset { return $name }
        make_wrapper { return system_wrapper.v }
        ipx::current_core { return core }
        ipx::check_integrity { return [stub_answer integrity 1] }
        ipx::add_* { return "[lindex $words end]/[lindex $words 0]" }
        ipx::get_bus_interfaces { return "core/[lindex $words 0]" }
        report_* {
            set at [lsearch -exact $words -file]
            set path [lindex $words [expr {$at + 1}]]
            file copy -force [file join $::env(STUB_REPORTS) [file tail $path]] $path
        }
        generate_target {
            set folder work/m3vit.gen/sources_1/bd/system/hw_handoff
            file mkdir $folder
            file copy -force m3vit.hwh $folder/system.hwh
        }
        write_bitstream { close [open $last w] }
    }
    return $last
}

namespace eval ipx {}
foreach stub_name {
    version create_project close_project set_property get_property current_project
    current_fileset add_files get_files update_ip_catalog get_board_parts make_wrapper
    generate_target create_bd_design create_bd_cell apply_bd_automation connect_bd_intf_net
    connect_bd_net assign_bd_address exclude_bd_addr_seg validate_bd_design save_bd_design
    get_bd_cells get_bd_pins get_bd_intf_pins get_bd_addr_spaces get_bd_addr_segs get_runs
    launch_runs wait_on_run open_run close_design report_utilization report_timing_summary
    report_power report_methodology report_drc write_bitstream get_clocks get_pins
    set_clock_uncertainty current_design
    ipx::package_project ipx::current_core ipx::remove_all_bus_interface
    ipx::remove_all_memory_map ipx::remove_all_address_space ipx::add_bus_interface
    ipx::add_port_map ipx::add_bus_parameter ipx::add_address_space ipx::add_memory_map
    ipx::add_address_block ipx::add_register ipx::add_field ipx::get_bus_interfaces
    ipx::create_xgui_files ipx::update_checksums ipx::check_integrity ipx::save_core
} {
    proc $stub_name args "stub_record $stub_name \$args; stub_value $stub_name \$args"
}
