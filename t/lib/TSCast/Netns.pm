# Copyright (C) the tscast authors

package TSCast::Netns;

# Hosts of a test's own, each in a network namespace, with a router between
# them.  They have no names and go with the process that holds each, which ends
# when the test does, however that is.
#
#     TSCast::Netns::available() or plan skip_all => 'needs root';
#
#     my $net = TSCast::Netns->new(qw(a b c));
#
#     my $node = TSCast::Nginx->new(netns => $net->host('a'), ...);
#     my $sink = $net->inside('b', sub {
#         TSCast::Peer->new(address => $net->address('b'))
#     });
#
#     $net->cut('b');          # drops all that goes to b and comes from it,
#     $net->heal('b');         # without a word, until now
#     $net->run('b', qw(ip link set lo down));
#
# A node in a namespace listens for the test on a UNIX socket, to which its
# port() is the path.

use strict;
use warnings;

use POSIX ();

use TSCast::Publisher;

use constant CLONE_NEWNET => 0x40000000;

my %SYS = (
    x86_64 => { unshare => 272, setns => 308 },
    aarch64 => { unshare => 97, setns => 268 },
);

my $SYS = $SYS{(POSIX::uname())[4]};
my $FAILED;


# root, and a kernel that has what is used here

sub available {
    return 0 if $> != 0 || !$SYS || $FAILED;

    return system('ip rule list > /dev/null 2>&1') == 0
           && eval { __PACKAGE__->new('a'); 1 };
}


sub new {
    my ($class, @names) = @_;

    my $self = bless { host => {}, router => _hold() }, $class;

    $self->_ip($self->{router}, qw(link set lo up));

    my $n = 0;

    $self->_add($_, ++$n) for @names;

    return $self;
}


# what TSCast::Nginx wants to know

sub host {
    my ($self, $name) = @_;

    return $self->{host}{$name} // die "no host $name";
}


sub address {
    my ($self, $name) = @_;

    return $self->host($name)->{address};
}


# runs $code; sockets that it makes stay in the namespace

sub inside {
    my ($self, $name, $code) = @_;

    open my $home, '<', '/proc/self/ns/net' or die $!;
    open my $there, '<', '/proc/' . $self->host($name)->{pid} . '/ns/net'
        or die $!;

    syscall($SYS->{setns}, fileno $there, CLONE_NEWNET) == 0
        or die "setns: $!";

    my @result = eval { scalar $code->() };
    my $error = $@;

    syscall($SYS->{setns}, fileno $home, CLONE_NEWNET) == 0
        or die "setns: $!";

    die $error if $error;

    return $result[0];
}


# a command in the namespace

sub run {
    my ($self, $name, @cmd) = @_;

    _run($self->host($name)->{pid}, @cmd);
}


sub cut {
    my ($self, $name) = @_;

    my $address = $self->address($name);

    $self->_ip($self->{router}, qw(rule add), $_, $address, 'blackhole')
        for qw(to from);
}


sub heal {
    my ($self, $name) = @_;

    my $address = $self->address($name);

    $self->_ip($self->{router}, qw(rule del), $_, $address, 'blackhole')
        for qw(to from);
}


# each host is at the end of a cable of its own, 10.99.N.2, and the router at
# the other, 10.99.N.1

sub _add {
    my ($self, $name, $n) = @_;

    my $host = $self->{host}{$name} = _hold();
    my $router = $self->{router};

    $host->{address} = "10.99.$n.2";

    $self->_ip($router, qw(link add), "veth$n", qw(type veth peer name eth0
                           netns), $host->{pid});
    $self->_ip($router, qw(addr add), "10.99.$n.1/30", 'dev', "veth$n");
    $self->_ip($router, qw(link set), "veth$n", 'up');

    _run($router->{pid}, qw(sysctl -qw net.ipv4.ip_forward=1)) if $n == 1;

    $self->_ip($host, qw(link set lo up));
    $self->_ip($host, qw(addr add), "$host->{address}/30", qw(dev eth0));
    $self->_ip($host, qw(link set eth0 up));
    $self->_ip($host, qw(route add default via), "10.99.$n.1");
}


sub _ip {
    my ($self, $host, @args) = @_;

    _run($host->{pid}, 'ip', @args);
}


sub _run {
    my ($pid, @cmd) = @_;

    system('nsenter', "--net=/proc/$pid/ns/net", @cmd) == 0
        or die "@cmd failed\n";
}


# a process in a namespace of its own, that ends when nobody holds the pipe

sub _hold {
    pipe my $from, my $to or die $!;
    pipe my $ready, my $say or die $!;

    my $pid = TSCast::Publisher::background(sub {
        close $to;
        close $ready;
        syscall($SYS->{unshare}, CLONE_NEWNET) == 0 or die "unshare: $!";
        syswrite $say, 'x';
        close $say;
        sysread $from, my $end, 1;
    });

    close $from;
    close $say;

    sysread $ready, my $said, 1;

    if (!$said) {
        $FAILED = 1;
        die "no network namespaces\n";
    }

    return { pid => $pid, held => $to };
}


sub DESTROY {
    my ($self) = @_;

    for my $host ($self->{router}, values %{$self->{host}}) {
        close $host->{held};
        TSCast::Publisher::end($host->{pid});
    }
}


1;
