# Procedures that make an IP core; core.tcl calls them with what our Verilog has.
namespace eval m3vit {
    variable core {}
    variable block {}
}

proc m3vit::begin_core {vendor library name version} {
    variable core
    variable part
    create_project -force core work_core -part $part
    add_files -norecurse $name.v
    set_property top $name [current_fileset]
    ipx::package_project -root_dir ip -vendor $vendor -library $library -taxonomy /UserIP \
        -import_files -set_current true
    set core [ipx::current_core]
    foreach {property value} [list name $name version $version display_name $name \
            description "multi-task mixture-of-experts vision transformer accelerator"] {
        set_property $property $value $core
    }
    # Whatever the tool inferred from names is replaced by what follows.
    ipx::remove_all_bus_interface $core
    ipx::remove_all_memory_map $core
    ipx::remove_all_address_space $core
}

proc m3vit::interface {name bus mode ports parameters} {
    variable core
    set library [expr {$bus eq "aximm" ? "interface" : "signal"}]
    set interface [ipx::add_bus_interface $name $core]
    set_property abstraction_type_vlnv xilinx.com:$library:${bus}_rtl:1.0 $interface
    set_property bus_type_vlnv xilinx.com:$library:$bus:1.0 $interface
    set_property interface_mode $mode $interface
    foreach {logical physical} $ports {
        set_property physical_name $physical [ipx::add_port_map $logical $interface]
    }
    foreach {parameter value} $parameters {
        set_property value $value [ipx::add_bus_parameter $parameter $interface]
    }
}

proc m3vit::address_space {name bits} {
    variable core
    set space [ipx::add_address_space $name $core]
    set_property range [expr {1 << $bits}] $space
    set_property width $bits $space
    set_property master_address_space_ref $name [ipx::get_bus_interfaces $name -of_objects $core]
}

proc m3vit::address_block {interface name bytes} {
    variable core
    variable block
    set map [ipx::add_memory_map $interface $core]
    set_property slave_memory_map_ref $interface \
        [ipx::get_bus_interfaces $interface -of_objects $core]
    set block [ipx::add_address_block $name $map]
    foreach {property value} [list base_address 0 range $bytes width 32 usage register] {
        set_property $property $value $block
    }
}

proc m3vit::register {name offset access reset description fields} {
    variable block
    set register [ipx::add_register $name $block]
    foreach {property value} [list address_offset $offset size 32 access $access \
            reset_value $reset description $description] {
        set_property $property $value $register
    }
    foreach field $fields {
        lassign $field name lsb bits access description
        set object [ipx::add_field $name $register]
        foreach {property value} [list bit_offset $lsb bit_width $bits access $access \
                description $description] {
            set_property $property $value $object
        }
    }
}

proc m3vit::end_core {} {
    variable core
    ipx::create_xgui_files $core
    ipx::update_checksums $core
    if {[ipx::check_integrity $core] == 0} {
        error "the packaged core is not sound, see the messages above"
    }
    ipx::save_core $core
    close_project
}
