# Copyright (C) the tscast authors

package TSCast::Check;

# Looks at what a viewer received and says what is wrong with it.
#
#     my $c = TSCast::Check->new->feed($bytes);     # in pieces, if wanted
#     is $c->faults, '', 'a good stream';
#
# What it keeps:
#
#     packets          whole packets seen
#     rest             bytes of an unfinished packet at the end
#     sync             packets that do not begin with 0x47
#     cc               continuity errors; discontinuity_indicator is respected
#     first            PID of the first packet
#     late             PIDs whose counter jumped once after an announced
#                      discontinuity that did not name them
#     discontinuities  runs of packets with discontinuity_indicator set
#     missing, doubled numbers of TSCast::TS that never came, or came again
#     numbers          how many numbers came
#     low, high        the lowest and the highest
#     opening          what came first, e.g. "PAT PMT key"
#     reopenings       the same for each run of discontinuities

use strict;
use warnings;


sub new {
    my ($class) = @_;

    return bless {
        buf => '', packets => 0, sync => 0, cc => 0, late => 0,
        unnamed => {}, discontinuities => 0,
        missing => 0, doubled => 0, numbers => 0, last_cc => {}, pmt => {},
        video => {}, opening => [], reopenings => [], in_run => 0,
    }, $class;
}


sub feed {
    my ($self, $bytes) = @_;

    $self->{buf} .= $bytes;

    my $n = int(length($self->{buf}) / 188);

    $self->_packet(substr $self->{buf}, $_ * 188, 188) for 0 .. $n - 1;

    substr $self->{buf}, 0, $n * 188, '';

    return $self;
}


sub rest {
    my ($self) = @_;

    return length $self->{buf};
}


sub opening {
    my ($self) = @_;

    return join ' ', @{$self->{opening}};
}


# "" for a stream without a fault; any holes and doubles are faults too,
# unless the caller expects some

sub faults {
    my ($self, %may) = @_;

    my @f;

    push @f, 'empty' if !$self->{packets};
    push @f, $self->rest . ' bytes of a broken packet' if $self->rest;

    for (qw(sync cc missing doubled)) {
        push @f, "$self->{$_} $_" if $self->{$_} && !$may{$_};
    }

    return join ', ', @f;
}


# "PAT PMT key" first, wherever the stream is (re)opened

sub opens_well {
    my ($self) = @_;

    for my $o ($self->{opening}, @{$self->{reopenings}}) {
        return 0 if "@$o" ne 'PAT PMT key';
    }

    return 1;
}


# a line for --- response_body

sub describe {
    my ($self) = @_;

    return "empty\n" if !$self->{packets} && !$self->rest;

    my $s = sprintf 'pid %d first, %d discontinuities', $self->{first} // -1,
                    $self->{discontinuities};

    my $faults = $self->faults;

    $s .= ", $faults" if $faults ne '';
    $s .= ', opens with ' . ($self->opening || 'no picture')
        if $self->opening ne 'PAT PMT key';

    return "$s\n";
}


sub _packet {
    my ($self, $p) = @_;

    $self->{packets}++;

    my ($sync, $b1, $b2, $b3) = unpack 'C4', $p;

    if ($sync != 0x47) {
        $self->{sync}++;
        return;
    }

    my $pid = ($b1 & 0x1f) << 8 | $b2;
    my $has_af = $b3 & 0x20;
    my $has_payload = $b3 & 0x10;
    my ($af_len, $flags) = $has_af ? unpack 'x4 C C', $p : (0, 0);
    my $di = $has_af && $af_len && $flags & 0x80;

    $self->{first} //= $pid;

    if ($di && !$self->{in_run}) {
        $self->{discontinuities}++;
        push @{$self->{reopenings}}, [];
        $self->{unnamed} = { map { $_ => 1 } keys %{$self->{last_cc}} };
    }

    $self->_counter($p, $pid, $b3 & 15, $has_payload, $di);

    $self->{in_run} = $di ? 1 : 0;

    return if !$has_payload;

    my $at = 4 + ($has_af ? 1 + $af_len : 0);

    return if $at >= 188;

    my $payload = substr $p, $at;
    my $unit_start = $b1 & 0x40;

    $self->_tables($pid, $payload) if $unit_start;
    $self->_opening($pid, $payload, $unit_start);
    $self->_number($1) if $self->{video}{$pid}
                          && $payload =~ /#([0-9a-f]{8})\z/;
}


# ISO/IEC 13818-1, 2.4.3.3: up by one with each packet that has a payload,
# one exact repetition allowed

sub _counter {
    my ($self, $p, $pid, $cc, $has_payload, $di) = @_;

    return if $pid == 0x1fff;

    my $old = $self->{last_cc}{$pid};
    my $unnamed = delete $self->{unnamed}{$pid};

    $self->{last_cc}{$pid} = [$cc, $has_payload ? $p : ''];

    return if !defined $old || $di;

    if (!$has_payload) {
        $self->{cc}++ if $cc != $old->[0];
        $self->{last_cc}{$pid}[1] = $old->[1];
        return;
    }

    return if $cc == ($old->[0] + 1 & 15);
    return if $cc == $old->[0] && $p eq $old->[1];

    $self->{$unnamed ? 'late' : 'cc'}++;
}


sub _tables {
    my ($self, $pid, $payload) = @_;

    my $s = substr $payload, 1 + unpack 'C', $payload;

    if ($pid == 0) {
        my $len = unpack('x n', $s) & 0xfff;

        for (my $i = 8; $i + 4 <= $len + 3 - 4; $i += 4) {
            my ($program, $pmt) = unpack "x$i n n", $s;
            $self->{pmt}{$pmt & 0x1fff} = 1 if $program;
        }

        return;
    }

    return if !$self->{pmt}{$pid} || length $s < 12;

    my ($len, $info) = (unpack('x n', $s) & 0xfff, unpack('x10 n', $s) & 0xfff);

    for (my $i = 12 + $info; $i + 5 <= $len + 3 - 4 && $i + 5 <= length $s; ) {
        my ($type, $es, $skip) = unpack "x$i C n n", $s;

        $self->{video}{$es & 0x1fff} = $type
            if $type == 0x01 || $type == 0x02 || $type == 0x1b
               || $type == 0x24 || $type == 0x10;

        $self->{pes}{$es & 0x1fff} = 1;

        $i += 5 + ($skip & 0xfff);
    }
}


# what the first three packets of interest are: tables, then a picture; audio
# may come between them

sub _opening {
    my ($self, $pid, $payload, $unit_start) = @_;

    my $o = @{$self->{reopenings}} ? $self->{reopenings}[-1]
                                   : $self->{opening};

    return if @$o && $o->[-1] =~ /key|other|middle/;

    if ($pid == 0) {
        push @$o, 'PAT' if !@$o || $o->[-1] ne 'PAT';
        return;
    }

    if ($self->{pmt}{$pid}) {
        push @$o, 'PMT' if $unit_start && (!@$o || $o->[-1] ne 'PMT');
        return;
    }

    if (defined(my $type = $self->{video}{$pid})) {
        push @$o, !$unit_start ? 'middle'
                  : is_key($type, $payload) ? 'key' : 'other';
        return;
    }

    # audio only: any PES start is a place to begin

    if ($self->{pes}{$pid}) {
        push @$o, $unit_start ? 'key' : 'middle' if !%{$self->{video}};
        return;
    }

    # media before its tables

    push @$o, 'other' if $pid >= 0x20 && $pid != 0x1fff;
}


# told from the beginning of the PES packet, as TSCast::TS puts it there

sub is_key {
    my ($type, $pes) = @_;

    return $pes =~ /\x00\x00\x01\x00.(.)/s && (ord($1) >> 3 & 7) == 1
        if $type == 0x01 || $type == 0x02;

    while ($pes =~ /\x00\x00\x01([\x00-\xbf])/gs) {
        my $nal = ord $1;

        return 1 if $type == 0x1b && ($nal & 0x1f) == 5;
        return 1 if $type == 0x24 && ($nal >> 1) >= 16 && ($nal >> 1) <= 21;
    }

    return 0;
}


# the first two packets of any stream: "PAT PMT" where it is in order

sub tables_first {
    my ($bytes) = @_;

    return 'too short' if length $bytes < 376;

    my $c = __PACKAGE__->new->feed(substr $bytes, 0, 376);
    my $second = unpack('x189 n', $bytes) & 0x1fff;

    return ($c->{first} == 0 ? 'PAT' : "PID $c->{first}")
           . ($c->{pmt}{$second} ? ' PMT' : " PID $second");
}


sub _number {
    my ($self, $hex) = @_;

    my $n = hex $hex;

    $self->{numbers}++;

    if (!defined $self->{high}) {
        $self->{low} = $self->{high} = $n;
        return;
    }

    if ($n <= $self->{high}) {
        $self->{doubled}++;
        return;
    }

    $self->{missing} += $n - $self->{high} - 1;
    $self->{high} = $n;
}


1;
