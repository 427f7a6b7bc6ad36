{
  "variables": {
    "strict_cflags": [
      "-std=c++23", "-fno-exceptions", "-fvisibility=hidden",
      # g++ 12 sees overlapping copies in its own std::string at -O3 (its bug 105651).
      "-Wall", "-Wextra", "-Wshadow", "-Werror", "-Wno-restrict", "-Wno-missing-field-initializers", "-Wno-unused-parameter"
    ]
  },
  "target_defaults": {
    "include_dirs": ["native"],
    "cflags_cc!": ["-std=gnu++17", "-std=gnu++20", "-fno-rtti"],
    "configurations": {
      # Debug is the sanitised build that `npm test` runs the addon's tests under.
      "Debug": {
        "cflags_cc": ["-fsanitize=address,undefined", "-fno-sanitize-recover=undefined", "-fno-omit-frame-pointer"],
        "ldflags": ["-fsanitize=address,undefined"]
      }
    }
  },
  "targets": [
    {
      "target_name": "vdpa_core",
      "type": "static_library",
      "sources": [
        "<!@(node -p \"require('fs').readdirSync('native/core').filter((f) => f.endsWith('.cc')).sort().map((f) => 'native/core/' + f).join(' ')\")"
      ],
      "cflags_cc": ["<@(strict_cflags)"]
    },
    {
      "target_name": "vdpa_host",
      "dependencies": ["vdpa_core"],
      "sources": [
        "<!@(node -p \"require('fs').readdirSync('native/addon').filter((f) => f.endsWith('.cc')).sort().map((f) => 'native/addon/' + f).join(' ')\")"
      ],
      "defines": [
        "NAPI_VERSION=9",
        "NODE_ADDON_API_DISABLE_CPP_EXCEPTIONS",
        "NODE_ADDON_API_ENABLE_MAYBE",
        "NODE_ADDON_API_DISABLE_DEPRECATED"
      ],
      "cflags_cc": [
        "-isystem", "<(module_root_dir)/<!(node -p \"require('node-addon-api').include_dir\")",
        "<@(strict_cflags)"
      ],
      # A thread that the kernel holds in a system call outlives the environment that loaded the addon:
      # its code must stay mapped after a worker's dlclose.
      "ldflags": ["-Wl,-z,nodelete", "-Wl,-z,now", "-Wl,-z,relro"]
    },
    {
      # Makes one change of the host in a process of its own; src/host/helper.ts starts it.
      "target_name": "vdpa_host_helper",
      "type": "executable",
      "product_extension": "",
      "dependencies": ["vdpa_core"],
      "sources": [
        "<!@(node -p \"require('fs').readdirSync('native/helper').filter((f) => f.endsWith('.cc')).sort().map((f) => 'native/helper/' + f).join(' ')\")"
      ],
      "cflags_cc": ["<@(strict_cflags)"],
      "ldflags": ["-Wl,-z,now", "-Wl,-z,relro"]
    },
    {
      # Speaks with libvirt in a process of its own; src/guest/libvirt-process.ts starts it.
      "target_name": "vdpa_host_libvirt",
      "type": "executable",
      "product_extension": "",
      "dependencies": ["vdpa_core"],
      "sources": [
        "<!@(node -p \"require('fs').readdirSync('native/libvirt').filter((f) => f.endsWith('.cc')).sort().map((f) => 'native/libvirt/' + f).join(' ')\")"
      ],
      "cflags_cc": ["<@(strict_cflags)"],
      "libraries": ["-ldl", "-pthread"],
      "ldflags": ["-Wl,-z,now", "-Wl,-z,relro"]
    }
  ]
}
