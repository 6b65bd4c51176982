# Copyright (C) the tscast authors

package Bench::Proc;

# The programs that a scenario starts, and what the kernel says of them.
# What was started is ended by its pid, also when the script dies.

use strict;
use warnings;

use Fcntl qw(F_SETFD FD_CLOEXEC);
use IO::Select;
use JSON::PP qw(decode_json);
use POSIX qw(WNOHANG);
use Time::HiRes qw(sleep time);

my %RUNNING;
my $CORES = () = read_file('/proc/cpuinfo') =~ /^processor\s*:/mg;

sub read_file {
    my ($path) = @_;

    open my $fh, '<', $path or return '';
    local $/;
    my $text = <$fh>;
    close $fh;

    return defined $text ? $text : '';
}

sub cores { return $CORES }

# start([core =>] ...): with its standard output to be read from here

sub start {
    my ($class, %o) = @_;
    my @command = @{ $o{command} };

    if (defined $o{core} && $CORES > 1) {
        unshift @command, 'taskset', '-c', $o{core};
    }

    pipe my $out, my $in or die "pipe: $!\n";

    my $pid = fork;
    die "fork: $!\n" unless defined $pid;

    if ($pid == 0) {
        open STDOUT, '>&', $in or POSIX::_exit(126);

        if ($o{errors}) {
            open STDERR, '>>', $o{errors} or POSIX::_exit(126);
        }

        exec @command or POSIX::_exit(127);
    }

    close $in;

    my $self = bless { pid => $pid, out => $out, text => '',
                       name => $o{name} || $command[0] }, $class;
    $RUNNING{$pid} = $self;

    return $self;
}

sub pid { return $_[0]{pid} }

# the next line, or undef at the end of output

sub line {
    my ($self, $timeout) = @_;
    my $end = time + $timeout;

    while ($self->{text} !~ /\n/) {
        my $left = $end - time;

        IO::Select->new($self->{out})->can_read($left > 0 ? $left : 0)
            or die "$self->{name}: nothing said for $timeout s\n";

        my $n = sysread $self->{out}, $self->{text}, 65536,
                        length $self->{text};
        return undef unless $n;
    }

    $self->{text} =~ s/^(.*)\n// or return undef;

    return $1;
}

sub ready {
    my ($self, $timeout) = @_;
    my $line = $self->line($timeout || 90);

    die "$self->{name} did not start\n" unless defined $line
                                               && $line eq 'ready';
    return $self;
}

# what it prints at its end

sub result {
    my ($self, $timeout) = @_;
    my $line = $self->line($timeout || 30);

    $self->end;
    die "$self->{name} failed\n" unless defined $line;

    return decode_json($line);
}

# asks it to end, and then what it prints

sub finish {
    my ($self) = @_;

    kill TERM => $self->{pid};
    return $self->result;
}

sub end {
    my ($self, $signal) = @_;
    my $pid = $self->{pid};

    return unless delete $RUNNING{$pid};

    kill $signal || 'TERM', $pid;

    for (1 .. 500) {
        return if waitpid($pid, WNOHANG) == $pid;
        sleep 0.02;
    }

    kill KILL => $pid;
    waitpid $pid, 0;
}

END {
    my $rc = $?;
    $_->end for values %RUNNING;
    $? = $rc;
}

sub children {
    my ($pid) = @_;
    my @children;

    for my $stat (glob '/proc/[0-9]*/stat') {
        my ($child, $parent) =
            read_file($stat) =~ /^(\d+) \(.*\) \S (\d+) /s or next;

        push @children, $child if $parent == $pid;
    }

    return sort { $a <=> $b } @children;
}

# Seconds of CPU that all have used, that we and ours that have ended have, and
# that there were.  What was stolen from a virtual machine counts as others'.

sub busy {
    my ($all) = read_file('/proc/stat') =~ /^cpu\s+(.*)$/m;
    my ($user, $nice, $system, undef, undef, $irq, $softirq, $steal) =
        split ' ', $all;
    my $busy = $user + $nice + $system + $irq + $softirq + ($steal || 0);
    my $ours = 0;

    $ours += $_ for times;

    return ($busy / POSIX::sysconf(POSIX::_SC_CLK_TCK()), $ours, time);
}

# the share of the machine that others have used since

sub others {
    my ($busy, $ours, $since) = @_;
    my @now = busy();

    return (($now[0] - $busy) - ($now[1] - $ours))
           / (($now[2] - $since) * $CORES);
}

# datagrams for which a UDP port of ours had no room

sub overrun {
    my ($port) = @_;
    my $local = sprintf ':%04X', $port;
    my $sum = 0;

    for my $line (split /\n/, read_file('/proc/net/udp')) {
        my @field = split ' ', $line;

        $sum += $field[-1] if $field[1] =~ /\Q$local\E$/;
    }

    return $sum;
}

# kB of process memory: in all, and without what is shared

sub memory {
    my (@pids) = @_;
    my %kb = (Pss => 0, Pss_Anon => 0);

    for my $pid (@pids) {
        my $text = read_file("/proc/$pid/smaps_rollup");

        for my $what (keys %kb) {
            $kb{$what} += $1 if $text =~ /^$what:\s+(\d+) kB/m;
        }
    }

    return %kb;
}

1;
