# Copyright (C) the tscast authors

package TSCast::Tags;

# Reads FLV as it comes (Adobe Flash Video File Format Specification 10.1,
# annex E, and Enhanced RTMP) and says what is wrong with it.
#
#     my $flv = TSCast::Tags->new(keep => 1)->feed($bytes);
#
# What it has:
#
#     {flags}            of the file's header
#     {tags}             { type, time, config, key, len, at; data with keep }
#     {meta}             onMetaData, as a hash
#     {numbers} {low} {high} {missing} {doubled}
#                        of the packets of a TSCast::TS, as in TSCast::Check
#     {zeros}            tags whose end is nothing but zeros

use strict;
use warnings;

use constant { AUDIO => 8, VIDEO => 9, SCRIPT => 18 };


sub new {
    my ($class, %opt) = @_;

    return bless {
        keep => 0, %opt, buf => '', at => 0, tags => [], faults => [],
        numbers => 0, missing => 0, doubled => 0, zeros => 0,
    }, $class;
}


sub feed {
    my ($self, $bytes) = @_;

    $self->{buf} .= $bytes;

    if (!defined $self->{flags}) {
        return $self if length $self->{buf} < 13;

        my ($magic, $version, $flags, $header, $size)
            = unpack 'a3 C C N N', substr $self->{buf}, 0, 13, '';

        $self->_fault('no header of FLV')
            if $magic ne 'FLV' || $version != 1 || $header != 9 || $size;

        $self->{flags} = $flags;
        $self->{at} = 13;
    }

    while (length $self->{buf} >= 11) {
        my ($type, $s, $size, $t, $time, $high)
            = unpack 'C C n C n C', $self->{buf};

        $size |= $s << 16;
        $time |= $high << 24 | $t << 16;

        if ($type != AUDIO && $type != VIDEO && $type != SCRIPT) {
            $self->_fault("tag of type $type at $self->{at}");
            $self->{buf} = '';
            last;
        }

        last if length $self->{buf} < 11 + $size + 4;

        my $data = substr $self->{buf}, 11, $size;
        my $former = unpack 'N', substr $self->{buf}, 11 + $size, 4;

        substr $self->{buf}, 0, 11 + $size + 4, '';

        $self->_fault("tag of $size bytes is said to have $former")
            if $former != 11 + $size;

        $self->_tag($type, $time, $data);
        $self->{at} += 11 + $size + 4;
    }

    return $self;
}


sub _tag {
    my ($self, $type, $time, $data) = @_;

    my %tag = (type => $type, time => $time, at => $self->{at},
               len => length $data, config => 0, key => 0);

    my ($first, $second) = unpack 'C C', $data . "\0\0";

    if ($type == VIDEO) {
        my $enhanced = $first & 0x80;

        $tag{key} = ($first >> 4 & 7) == 1;
        $tag{codec} = $enhanced ? substr($data, 1, 4) : $first & 15;
        $tag{config} = $enhanced ? ($first & 15) == 0 : $second == 0;
        $tag{key} = 0 if $tag{config};
        $tag{body} = substr $data, $enhanced && $tag{config} ? 5
                                   : $enhanced ? 8 : 5;
        $self->_numbers($data) if !$tag{config};

    } elsif ($type == AUDIO) {
        $tag{codec} = $first >> 4 == 9 ? substr($data, 1, 4) : $first >> 4;
        $tag{config} = $tag{codec} eq '10' ? $second == 0
                       : $first >> 4 == 9 ? ($first & 15) == 0 : 0;
        $tag{body} = substr $data, $tag{codec} eq '10' ? 2
                                   : $first >> 4 == 9 ? 5 : 1;

    } else {
        $self->{meta} = eval { metadata($data, $self->{uncounted}) };
        $self->_fault("onMetaData: $@") if $@;
    }

    my $last = $self->{last}{$type};

    $self->_fault("time of $type goes from $last to $time")
        if defined $last && $time < $last && !$self->{backwards};

    $self->{last}{$type} = $time if $type != SCRIPT;
    $self->{zeros}++ if length $data > 20 && $data =~ /\0{16}\z/;

    delete $tag{body} if !$self->{keep};

    push @{$self->{tags}}, \%tag;
}


sub _numbers {
    my ($self, $data) = @_;

    while ($data =~ /#([0-9a-f]{8})/g) {
        my $n = hex $1;

        $self->{numbers}++;

        if (!defined $self->{high}) {
            $self->{low} = $self->{high} = $n;

        } elsif ($n <= $self->{high}) {
            $self->{doubled}++;

        } else {
            $self->{missing} += $n - $self->{high} - 1;
            $self->{high} = $n;
        }
    }
}


# AMF0: what is needed for onMetaData.  The length of an array is approximate:
# one that was an object has 0, uncounted.

sub metadata {
    my ($data, $uncounted) = @_;

    my $key = sub {
        my $len = unpack 'n', substr $data, 0, 2, '';
        return substr $data, 0, $len, '';
    };

    $data =~ s/\A\x02// or die "no string\n";
    die "not onMetaData\n" if $key->() ne 'onMetaData';
    $data =~ s/\A\x08// or die "no array\n";

    my $n = unpack 'N', substr $data, 0, 4, '';
    my %meta;

    while ((my $name = $key->()) ne '') {
        my $type = ord substr $data, 0, 1, '';

        $meta{$name} = $type == 0 ? unpack('d>', substr $data, 0, 8, '')
                       : $type == 1 ? ord substr $data, 0, 1, ''
                       : $type == 2 ? $key->()
                       : die "type $type\n";
    }

    die "no end\n" if $data ne "\x09";

    die "$n members\n" if $n != ($uncounted ? 0 : keys %meta);

    return \%meta;
}


sub of {
    my ($self, $type) = @_;

    return grep { $_->{type} == $type } @{$self->{tags}};
}


# what a decoder gets first: "meta video audio key" or so

sub opening {
    my ($self) = @_;

    my @words;

    for my $tag (@{$self->{tags}}) {
        push @words, $tag->{type} == SCRIPT ? 'meta'
                     : ($tag->{type} == VIDEO ? 'video' : 'audio')
                       . ($tag->{config} ? '=' : $tag->{key} ? '!' : '');
        last if !$tag->{config} && $tag->{type} != SCRIPT;
    }

    return join ' ', @words;
}


sub faults {
    my ($self, %may) = @_;

    my @faults = @{$self->{faults}};

    push @faults, "$self->{missing} missing"
        if $self->{missing} && !$may{missing};
    push @faults, "$self->{doubled} doubled" if $self->{doubled};

    return join ', ', @faults;
}


sub _fault {
    my ($self, $what) = @_;

    push @{$self->{faults}}, $what if @{$self->{faults}} < 10;
}


# HEVC and H.264 as decoders without a container want them: Annex B

sub annex_b {
    my ($self) = @_;

    my $out = '';

    for my $tag ($self->of(VIDEO)) {
        my $body = $tag->{body};

        if ($tag->{config}) {
            $out .= $tag->{codec} eq '7' ? _avc_sets($body)
                                         : _hevc_sets($body);
            next;
        }

        while (length $body) {
            my $len = unpack 'N', substr $body, 0, 4, '';

            $self->_fault("unit of $len bytes")
                if $len == 0 || $len > length $body;

            $out .= "\0\0\0\1" . substr $body, 0, $len, '';
        }
    }

    return $out;
}


sub _avc_sets {
    my ($c) = @_;

    my $out = '';
    my $at = 5;

    for my $mask (0x1f, 0xff) {
        my $n = ord(substr $c, $at++, 1) & $mask;

        for (1 .. $n) {
            my $len = unpack 'n', substr $c, $at, 2;
            $out .= "\0\0\0\1" . substr $c, $at + 2, $len;
            $at += 2 + $len;
        }
    }

    return $out;
}


# ISO/IEC 14496-15, 8.3.3.1.2

sub _hevc_sets {
    my ($c) = @_;

    my $out = '';
    my $at = 23;

    for (1 .. ord substr $c, 22, 1) {
        my $n = unpack 'x n', substr $c, $at, 3;

        $at += 3;

        for (1 .. $n) {
            my $len = unpack 'n', substr $c, $at, 2;
            $out .= "\0\0\0\1" . substr $c, $at + 2, $len;
            $at += 2 + $len;
        }
    }

    return $out;
}


1;
