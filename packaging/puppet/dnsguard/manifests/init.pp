# Installs, configures and removes dnsguard, in an order in which no lookup is lost.
#
# @param ensure
#   Whether the host has dnsguard; absent purges it, and the host gets back what it had.
# @param deb
#   Path of its .deb on the host; undef where one of apt's sources has it.
# @param version
#   The version that the host is to have, from either source; installed for any.
# @param settings
#   The sections of dnsguard.toml, each with its keys; what is not named is at its default.
# @param with_dnsmasq
#   Whether resolvconf and dnsmasq are installed afterwards, and dnsmasq is enabled and running.
# @param wait_s
#   Seconds that the run waits until the host resolves; then it fails.
#
# @example
#   class { 'dnsguard':
#     settings => { 'guard' => { 'standby' => 'no' } },
#   }
class dnsguard (
  Enum['present', 'absent'] $ensure = 'present',
  Optional[Pattern[/\A\//]] $deb = undef,
  String[1] $version = 'installed',
  Hash[String[1], Hash[String[1], Data]] $settings = {},
  Boolean $with_dnsmasq = true,
  Numeric $wait_s = 30,
) {
  if $ensure == 'absent' {
    # The package hands /etc/resolv.conf back by itself; resolvconf and dnsmasq stay.
    package { 'dnsguard':
      ensure => purged,
    }
  } else {
    # What dnsguard recommends comes below, when dnsguard has its configuration.
    package { 'dnsguard':
      ensure          => $version,
      source          => $deb,
      configfiles     => keep,
      install_options => ['--no-install-recommends'],
    }

    -> file { '/etc/dnsguard/dnsguard.toml':
      content      => template('dnsguard/dnsguard.toml.erb'),
      owner        => 'root',
      group        => 'root',
      mode         => '0644',
      validate_cmd => '/usr/bin/dnsguard check-config %',
    }

    ~> service { 'dnsguard':
      ensure  => running,
      enable  => true,
      restart => '/usr/bin/systemctl reload dnsguard',
    }

    # A command that has run is a change to Puppet: it runs only if there is something to wait for.
    -> exec { 'wait until this host resolves':
      command => "/usr/bin/dnsguard wait --for resolving --timeout ${wait_s}",
      unless  => '/usr/bin/dnsguard wait --for resolving --timeout 0',
      timeout => 0,
    }

    if $with_dnsmasq {
      package { ['resolvconf', 'dnsmasq']:
        ensure  => installed,
        require => Exec['wait until this host resolves'],
      }

      -> service { 'dnsmasq':
        ensure => running,
        enable => true,
      }
    }
  }
}
