# From the Verilog to a checked bitstream: vivado -mode batch -source build.tcl
# Writes m3vit.bit beside this file and the reports into reports; exits with 1 if a check fails.
# With -tclargs STEP it ends after core, design or synthesis.
cd [file dirname [file normalize [info script]]]
foreach script {settings checks package} {
    source $script.tcl
}

proc m3vit::wait {run} {
    variable timeout_minutes
    variable jobs
    launch_runs $run -jobs $jobs
    wait_on_run -timeout $timeout_minutes $run
    check_run $run
}

proc m3vit::open_system {} {
    variable part
    variable board_part
    create_project -force m3vit work -part $part
    set_property board_part $board_part [current_project]
    set_property ip_repo_paths [file normalize ip] [current_project]
    update_ip_catalog
    source block_design.tcl
    set design [get_files system.bd]
    generate_target all $design
    # The tool's own metadata, for `m3vit bitstream --reports` to compare with ours.
    foreach found [glob -nocomplain work/m3vit.*/sources_1/bd/system/hw_handoff/system.hwh] {
        file copy -force $found reports/system.hwh
    }
    add_files -norecurse [make_wrapper -files $design -top]
    set_property top system_wrapper [current_fileset]
    add_files -fileset constrs_1 -norecurse constraints.xdc
    set_property used_in_synthesis false [get_files constraints.xdc]
}

proc m3vit::synthesise {} {
    variable limits
    variable multipliers
    wait synth_1
    open_run synth_1
    report_utilization -file reports/synthesis_utilization.rpt
    close_design
    check_utilisation reports/synthesis_utilization.rpt $limits $multipliers
}

proc m3vit::implement {} {
    variable limits
    variable multipliers
    variable clock_mhz
    set_property strategy Performance_ExplorePostRoutePhysOpt [get_runs impl_1]
    wait impl_1
    open_run impl_1
    report_timing_summary -file reports/timing.rpt
    report_utilization -file reports/utilization.rpt
    report_utilization -hierarchical -file reports/hierarchy.rpt
    report_power -file reports/power.rpt
    report_methodology -file reports/methodology.rpt
    report_drc -file reports/drc.rpt
    check_timing reports/timing.rpt clk_pl_0 $clock_mhz
    check_utilisation reports/utilization.rpt $limits $multipliers
    write_bitstream -force m3vit.bit
}

proc m3vit::build {last} {
    variable version
    variable board_part
    set steps {core {source core.tcl} design open_system synthesis synthesise bitstream implement}
    if {![dict exists $steps $last]} {
        error "there is no step $last, steps are [join [dict keys $steps] {, }]"
    }
    check_version [::version -short] $version
    check_board $board_part
    file mkdir reports
    file delete m3vit.bit
    dict for {name step} $steps {
        eval $step
        if {$name eq $last} {
            return
        }
    }
}

set last [expr {[llength $argv] ? [lindex $argv 0] : "bitstream"}]
if {[catch {m3vit::build $last} message]} {
    puts stderr "ERROR: m3vit: $message"
    exit 1
}
puts "m3vit: done up to $last in [pwd]"
