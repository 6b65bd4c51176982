# Copyright (C) the tscast authors

package TSCast::Strict;

# Holds a transport stream that was made here against ISO/IEC 13818-1, from
# its first byte to its last.
#
#     my $s = TSCast::Strict->new($bytes);
#     is($s->faults, '', 'without a fault');
#
# Options: may_break => 1 (time bases may be discontinuous).
#
# What it has besides:
#
#     {versions}    versions of the PMT, in order
#     {types}       stream types of the last PMT by PID
#     {units}       { pid, pts, dts, random, data } of each PES packet
#     {breaks}      how many discontinuities were announced

use strict;
use warnings;

use TSCast::TS;

my $WRAP = 2 ** 33;


sub new {
    my ($class, $bytes, %opt) = @_;

    my $self = bless {
        %opt, n => 0, faults => {}, cc => {}, types => {}, versions => [],
        units => [], open => {}, count => 0,
    }, $class;

    $self->_fault('bytes of a broken packet') if length($bytes) % 188;
    $self->_packet(substr $bytes, $_ * 188, 188)
        for 0 .. int(length($bytes) / 188) - 1;
    $self->_end($_) for keys %{$self->{open}};
    $self->_fault('no units') if !@{$self->{units}};

    return $self;
}


sub faults {
    my ($self) = @_;

    return join ', ', map { "$self->{faults}{$_} x $_" }
                      sort keys %{$self->{faults}};
}


sub units_of {
    my ($self, $pid) = @_;

    return grep { $_->{pid} == $pid } @{$self->{units}};
}


sub _fault {
    my ($self, $what) = @_;

    $self->{faults}{$what}++;
}


# from one time of 33 bits to another

sub _since {
    my ($from, $to) = @_;

    my $d = ($to - $from) % $WRAP;

    return $d >= $WRAP / 2 ? $d - $WRAP : $d;
}


sub _packet {
    my ($self, $p) = @_;

    my ($sync, $b, $c) = unpack 'C n C', $p;
    my ($pid, $start) = ($b & 0x1fff, $b & 0x4000);
    my ($control, $cc) = ($c >> 4 & 3, $c & 15);
    my ($at, $flags) = (4, 0);

    $self->_fault('sync') if $sync != 0x47;
    $self->_fault('scrambled or in error') if $b & 0x8000 || $c & 0xc0;
    $self->_fault('no payload and no adaptation field') if !$control;

    if ($control & 2) {
        my $len = ord substr $p, 4, 1;

        $self->_fault('length of an adaptation field')
            if $control == 2 ? $len != 183 : $len > 182;
        $flags = ord substr $p, 5, 1 if $len;
        $at = 5 + $len;
    }

    $self->_counter($pid, $cc, $control & 1);
    $self->_pcr($pid, $p, $flags) if $flags & 0x10;

    return if !($control & 1);

    my $payload = substr $p, $at;

    if ($pid == 0 || $pid == ($self->{pmt} // -1)) {
        return $self->_section($pid, $payload);
    }

    return $self->_fault('a PID of no table') if !$self->{types}{$pid};

    $self->_since_tables;

    if ($start) {
        $self->_end($pid);
        $self->_begin($pid, $flags);
    }

    $self->{open}{$pid}{data} .= $payload;
    $self->{after_tables} = 0;
}


sub _counter {
    my ($self, $pid, $cc, $payload) = @_;

    my $last = $self->{cc}{$pid};

    $self->_fault('continuity')
        if defined $last && $cc != ($last + ($payload ? 1 : 0)) % 16;

    $self->{cc}{$pid} = $cc;
}


# 2.4.3.5, 2.7.2: PCRs grow, no more than 40 ms at a time

sub _pcr {
    my ($self, $pid, $p, $flags) = @_;

    my ($high, $low) = unpack 'x6 N n', $p;
    my $pcr = ($high * 2 + ($low >> 15)) % $WRAP;

    $self->_fault('PCR of another PID')
        if defined $self->{pcr_pid} && $pid != $self->{pcr_pid};
    $self->_fault('reserved bits of a PCR') if ($low & 0x7e00) != 0x7e00;

    if ($flags & 0x80) {
        $self->{breaks}++;
        $self->_fault('discontinuity') if !$self->{may_break};

    } elsif (defined $self->{pcr}) {
        my $d = _since($self->{pcr}, $pcr);

        $self->_fault('PCR goes back') if $d <= 0;
        $self->_fault('PCRs are too far apart') if $d > 40 * 90;
        $self->{elapsed} += $d;
    }

    $self->{pcr} = $pcr;
    $self->{tables_at} = $self->{elapsed} // 0 if delete $self->{tables};
}


# PAT and PMT of one packet each

sub _section {
    my ($self, $pid, $payload) = @_;

    my $pointer = ord $payload;
    my $len = unpack('x n', substr $payload, 1 + $pointer) & 0xfff;
    my $s = substr $payload, 1 + $pointer, 3 + $len;

    return $self->_fault('CRC of a section') if TSCast::TS::crc32($s) != 0;

    $self->_fault('stuffing') if substr($payload, 4 + $pointer + $len)
                                 =~ /[^\xff]/;

    if ($pid == 0) {
        $self->{pmt} = unpack('x10 n', $s) & 0x1fff;
        $self->{after_tables} = 1;
        return;
    }

    my $version = ord(substr $s, 5, 1) >> 1 & 0x1f;

    if (!@{$self->{versions}} || $self->{versions}[-1] != $version) {
        push @{$self->{versions}}, $version;
    }

    my $info = unpack('x10 n', $s) & 0xfff;
    my $es = substr $s, 12 + $info, -4;

    $self->{pcr_pid} = unpack('x8 n', $s) & 0x1fff;
    $self->{types} = {};

    while (length $es) {
        my ($type, $es_pid, $es_info) = unpack 'C n n', $es;

        $self->{types}{$es_pid & 0x1fff} = $type;
        $es = substr $es, 5 + ($es_info & 0xfff);
    }

    $self->{after_tables}++;
    $self->{tables} = 1;                  # their time is that of a PCR
}


sub _since_tables {
    my ($self) = @_;

    my $d = ($self->{elapsed} // 0) - ($self->{tables_at} // 0);

    $self->_fault('tables are too far apart')
        if $d > 100 * 90 && !$self->{tables};
}


sub _begin {
    my ($self, $pid, $flags) = @_;

    $self->{open}{$pid} = {
        pid => $pid, data => '', random => $flags & 0x40 ? 1 : 0,
        pcr => $self->{pcr}, after_tables => $self->{after_tables} // 0,
    };
}


# 2.4.3.7

sub _end {
    my ($self, $pid) = @_;

    my $u = delete $self->{open}{$pid} or return;
    my ($prefix, $id, $len, $f1, $f2, $n) = unpack 'a3 C n C C C', $u->{data};

    $self->_fault('PES start code') if $prefix ne "\0\0\1";
    $self->_fault('PES length')
        if $len ? $len != length($u->{data}) - 6 : $id >> 4 != 0xe;
    $self->_fault('data_alignment_indicator') if ($f1 & 0xc4) != 0x84;

    my @times = map { _time($_) } unpack 'x9 (a5)*', substr $u->{data}, 0,
                                  9 + $n;

    $u->{pts} = $times[0];
    $u->{dts} = $times[1] // $times[0];
    $u->{data} = substr $u->{data}, 9 + $n;

    return $self->_fault('no PTS') if !defined $u->{pts};

    $self->_fault('PTS before DTS') if _since($u->{dts}, $u->{pts}) < 0;
    $self->_fault('no PCR before a unit') if !defined $u->{pcr};
    $self->_fault('DTS not after PCR')
        if defined $u->{pcr} && _since($u->{pcr}, $u->{dts}) <= 0;

    my ($last) = reverse $self->units_of($pid);

    $self->_fault('DTS goes back')
        if $last && _since($last->{dts}, $u->{dts}) <= 0;

    $self->_media($u);
    push @{$self->{units}}, $u;
}


sub _time {
    my ($high, $mid, $low) = unpack 'C n n', $_[0];

    return (($high >> 1 & 7) * 2 ** 30) + ($mid >> 1) * 2 ** 15 + ($low >> 1);
}


# 2.14.1, 2.17.1: delimiters first; parameter sets before what is random

sub _media {
    my ($self, $u) = @_;

    my $type = $self->{types}{$u->{pid}};

    return if !defined $type;

    if ($type == 0x0f) {
        $self->_adts($u->{data});
        return;
    }

    return if $type != 0x1b && $type != 0x24;

    my @types = map { $type == 0x24 ? (ord($_) >> 1) & 0x3f : ord($_) & 0x1f }
                grep { $_ ne '' } split /\x00*\x00\x00\x01/, $u->{data};

    my ($aud, @sets) = $type == 0x24 ? (35, 32, 33, 34) : (9, 7, 8);
    my %has = map { $_ => 1 } @types;
    my $idr = $type == 0x24 ? grep { $_ >= 16 && $_ <= 23 } @types : $has{5};

    $self->_fault('no access unit delimiter') if $types[0] != $aud;
    $self->_fault('two access unit delimiters')
        if grep({ $_ == $aud } @types) != 1;
    $self->_fault('key frame without random_access_indicator')
        if $idr && !$u->{random};

    return if !$u->{random};

    $self->_fault('no parameter sets') if grep { !$has{$_} } @sets;
    $self->_fault('no tables before a key frame')
        if $u->{after_tables} != 2;
}


sub _adts {
    my ($self, $data) = @_;

    while (length $data) {
        my @b = unpack 'C7', $data;

        return $self->_fault('ADTS')
            if @b < 7 || $b[0] != 0xff || ($b[1] & 0xf6) != 0xf0;

        my $len = ($b[3] & 3) << 11 | $b[4] << 3 | $b[5] >> 5;

        return $self->_fault('length of ADTS')
            if $len < 7 || $len > length $data;

        $data = substr $data, $len;
    }
}


1;
