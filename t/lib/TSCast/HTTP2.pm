# Copyright (C) the tscast authors

package TSCast::HTTP2;

# A client's end of one HTTP/2 connection (RFC 9113), frame by frame: requests
# side by side, flow control in the test's hands.
#
#     my $c = TSCast::HTTP2->new(port => $port);
#     my $v = $c->request('/live/cam.ts');
#     my $p = $c->request('/push/cam', method => 'PUT', body => 1);
#
#     $p->send($bytes);
#     $p->finish;
#     TSCast::Reader::pump(5, sub { $v->{end} }, $c) or die;
#
# Options of a connection: port, sock, deadline, rcvbuf as a reader's, and
#
#     window   what a response may be ahead, 65535; each keeps it open, unless
#              it is held (hold => 1 of a request, or $v->{hold} = 1)
#     total    the same of the connection; held while {hold} is set
#
# Options of a request: method, headers ([ name => value, ... ]), body (1: it
# follows), keep (as a reader's), hold.  A request has what a reader has:
# {status} {h} {body} {bytes} {check} {end} ("complete", "reset" with {code},
# "eof"), and
#
#     {room}   what the server allows it to send now
#     {most}   the most that it ever did
#
# Header values in Huffman's code are not decoded: they are "?".

use strict;
use warnings;

use Errno qw(EAGAIN EINTR EWOULDBLOCK);
use IO::Poll ();
use Time::HiRes qw(time);

use TSCast::Check;
use TSCast::Net;
use TSCast::Reader;

use constant { DATA => 0, HEADERS => 1, RST_STREAM => 3, SETTINGS => 4,
               PUSH => 5, PING => 6, GOAWAY => 7, WINDOW_UPDATE => 8,
               CONTINUATION => 9 };

use constant { END_STREAM => 1, ACK => 1, END_HEADERS => 4, PADDED => 8,
               PRIORITY => 0x20 };

# RFC 7541, appendix A

my @STATIC = ('', qw(
    :authority :method :method :path :path :scheme :scheme
    :status :status :status :status :status :status :status
    accept-charset accept-encoding accept-language accept-ranges accept
    access-control-allow-origin age allow authorization cache-control
    content-disposition content-encoding content-language content-length
    content-location content-range content-type cookie date etag expect
    expires from host if-match if-modified-since if-none-match if-range
    if-unmodified-since last-modified link location max-forwards
    proxy-authenticate proxy-authorization range referer refresh retry-after
    server set-cookie strict-transport-security transfer-encoding user-agent
    vary via www-authenticate));

my %STATUS = (8 => 200, 9 => 204, 10 => 206, 11 => 304, 12 => 400, 13 => 404,
              14 => 500);


sub new {
    my ($class, %opt) = @_;

    my $self = bless {
        deadline => $TSCast::Net::DEADLINE, window => 65_535,
        total => 2**30, %opt,
        buf => '', next => 1, streams => {}, faults => [], room => 65_535,
        initial => 65_535, max_frame => 16_384, settings => {},
    }, $class;

    $self->{sock} ||= TSCast::Net::dial($self->{port},
                                        rcvbuf => $self->{rcvbuf});

    $self->put("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
               . _frame(SETTINGS, 0, 0, pack 'nNnN', 2, 0, 4,
                        $self->{window})
               . ($self->{total} > 65_535
                  ? _frame(WINDOW_UPDATE, 0, 0,
                           pack 'N', $self->{total} - 65_535) : ''));

    return $self;
}


sub request {
    my ($self, $path, %opt) = @_;

    my $s = bless {
        method => 'GET', headers => [], keep => 1, %opt,
        connection => $self, id => $self->{next}, bytes => 0, sent => 0,
        room => $self->{initial}, most => $self->{initial}, body => '',
        check => TSCast::Check->new, owed => 0,
    }, 'TSCast::HTTP2::Stream';

    my $more = delete $opt{body};

    $self->{next} += 2;
    $self->{streams}{$s->{id}} = $s;

    my @head = (':method' => $s->{method}, ':scheme' => 'http',
                ':path' => $path, ':authority' => 'localhost',
                @{$s->{headers}});

    my $block = '';

    while (my ($name, $value) = splice @head, 0, 2) {
        $block .= "\0" . _string($name) . _string($value);
    }

    $self->put(_frame(HEADERS, END_HEADERS | ($more ? 0 : END_STREAM),
                      $s->{id}, $block));

    return $s;
}


sub put {
    my ($self, $bytes) = @_;

    $self->{gone} = 1
        if !TSCast::Net::put($self->{sock}, $bytes, $self->{deadline});

    return !$self->{gone};
}


# so that TSCast::Reader::pump() can read connections and readers at once

sub read_some {
    my ($self) = @_;

    $self->{sock}->blocking(0);

    my $n = sysread $self->{sock}, my $bytes, 262_144;

    if (!defined $n) {
        return if $! == EAGAIN || $! == EWOULDBLOCK || $! == EINTR;
        return $self->_over('reset');
    }

    return $self->_over('eof') if $n == 0;

    $self->{buf} .= $bytes;

    my $at = 0;
    my $have = length $self->{buf};

    while ($have - $at >= 9) {
        my ($hi, $lo, $type, $flags, $id)
            = unpack 'C n C C N', substr $self->{buf}, $at, 9;
        my $len = $hi << 16 | $lo;

        last if $have - $at < 9 + $len;

        $self->_take($type, $flags, $id & 0x7fffffff,
                     substr $self->{buf}, $at + 9, $len);

        $at += 9 + $len;
    }

    substr $self->{buf}, 0, $at, '';

    $self->_open_windows;
}


sub ping {
    my ($self) = @_;

    my $pings = $self->{pongs} // 0;

    $self->put(_frame(PING, 0, 0, 'x' x 8));

    return TSCast::Reader::pump($self->{deadline}, sub {
        ($self->{pongs} // 0) > $pings
    }, $self);
}


sub close {
    my ($self) = @_;

    CORE::close(delete $self->{sock}) if $self->{sock};
    $self->_over('closed');
}


sub abort {
    my ($self) = @_;

    TSCast::Net::reset_close(delete $self->{sock}) if $self->{sock};
    $self->_over('closed');
}


sub _over {
    my ($self, $how) = @_;

    $self->{end} ||= $how;
    $_->{end} ||= $how for values %{$self->{streams}};
}


sub _take {
    my ($self, $type, $flags, $id, $payload) = @_;

    push @{$self->{faults}}, 'frame of ' . length($payload) . ' bytes'
        if length $payload > 16_384;

    return $self->_settings($flags, $payload) if $type == SETTINGS;
    return $self->_window($id, unpack 'N', $payload) if $type == WINDOW_UPDATE;

    if ($type == PING) {
        $flags & ACK ? $self->{pongs}++
                     : $self->put(_frame(PING, ACK, 0, $payload));
        return;
    }

    if ($type == GOAWAY) {
        ($self->{goaway}, $self->{code}) = unpack 'N N', $payload;
        return;
    }

    my $s = $self->{streams}{$id};

    if (!$s) {
        push @{$self->{faults}}, "frame $type on stream $id";
        return;
    }

    if ($type == RST_STREAM) {
        $s->{code} = unpack 'N', $payload;
        $s->{end} ||= 'reset';
        return;
    }

    $payload = substr $payload, 1, length($payload) - 1 - ord $payload
        if $flags & PADDED && $type <= HEADERS;

    if ($type == HEADERS) {
        $payload = substr $payload, 5 if $flags & PRIORITY;
        $s->{block} = $payload;
        $self->_head($s) if $flags & END_HEADERS;

    } elsif ($type == CONTINUATION) {
        $s->{block} .= $payload;
        $self->_head($s) if $flags & END_HEADERS;

    } elsif ($type == DATA) {
        push @{$self->{faults}}, "data after the end of stream $id"
            if ($s->{end} // '') eq 'complete';

        $self->{owed} += length $payload;
        $s->_data($payload);
    }

    $s->{end} ||= 'complete' if $type <= HEADERS && $flags & END_STREAM;
}


sub _settings {
    my ($self, $flags, $payload) = @_;

    if ($flags & ACK) {
        $self->{acked} = 1;
        return;
    }

    my %new = unpack '(n N)*', $payload;

    if (defined $new{4}) {
        for my $s (values %{$self->{streams}}) {
            $s->{room} += $new{4} - $self->{initial};
            $s->{most} = $s->{room} if $s->{sent} == 0;
        }

        $self->{initial} = $new{4};
    }

    $self->{max_frame} = $new{5} if defined $new{5} && $new{5} < 16_384;
    $self->{settings} = { %{$self->{settings}}, %new };

    $self->put(_frame(SETTINGS, ACK, 0, ''));
}


sub _window {
    my ($self, $id, $n) = @_;

    my $to = $id ? $self->{streams}{$id} : $self;

    return if !$to;

    $to->{room} += $n;
    $to->{most} = $to->{room} if ($to->{most} // 0) < $to->{room};

    push @{$self->{faults}}, 'window beyond 2^31 - 1'
        if $to->{room} > 0x7fffffff;
}


# opens the window of a connection that was held

sub release {
    my ($self) = @_;

    $self->{hold} = 0;
    $self->_open_windows;
}


# gives back what was read, in steps of half a window

sub _open_windows {
    my ($self) = @_;

    my $out = '';

    if (($self->{owed} // 0) >= $self->{total} / 2 && !$self->{hold}) {
        $out .= _frame(WINDOW_UPDATE, 0, 0, pack 'N', $self->{owed});
        $self->{owed} = 0;
    }

    for my $s (values %{$self->{streams}}) {
        $out .= $s->_owed if !$s->{end} && !$s->{hold};
    }

    $self->put($out) if $out ne '';
}


sub _head {
    my ($self, $s) = @_;

    my $block = delete $s->{block};
    my $at = 0;
    my $byte = sub { $at < length $block ? ord substr $block, $at++, 1 : 0 };

    my $integer = sub {
        my ($first, $bits) = @_;

        my $max = 2**$bits - 1;
        my $n = $first & $max;

        return $n if $n < $max;

        for (my $shift = 0; ; $shift += 7) {
            my $b = $byte->();

            $n += ($b & 0x7f) << $shift;
            return $n if !($b & 0x80);
        }
    };

    my $string = sub {
        my $first = $byte->();
        my $len = $integer->($first, 7);
        my $text = substr $block, $at, $len;

        $at += $len;

        return $first & 0x80 ? '?' : $text;
    };

    while ($at < length $block) {
        my $b = $byte->();

        if ($b & 0x80) {
            my $i = $integer->($b, 7);

            $s->{h}{$STATIC[$i] // 'unknown'} = $STATUS{$i} // '';
            next;
        }

        if (($b & 0xe0) == 0x20) {
            $integer->($b, 5);          # size of the dynamic table
            next;
        }

        my $i = $integer->($b, $b & 0x40 ? 6 : 4);
        my $name = $i ? $STATIC[$i] // 'unknown' : $string->();

        $s->{h}{$name} = $string->();
    }

    $s->{status} //= $s->{h}{':status'};
}


sub _frame {
    my ($type, $flags, $id, $payload) = @_;

    my $len = length $payload;

    return pack('C n C C N', $len >> 16, $len & 0xffff, $type, $flags, $id)
           . $payload;
}


sub _string {
    my ($text) = @_;

    my $len = length $text;

    return pack('C', $len) . $text if $len < 127;

    my $out = "\x7f";

    for ($len -= 127; $len >= 128; $len >>= 7) {
        $out .= pack 'C', 0x80 | ($len & 0x7f);
    }

    return $out . pack('C', $len) . $text;
}


package TSCast::HTTP2::Stream;

use Time::HiRes qw(time);


# false when the server does not take it within the deadline

sub send {
    my ($self, $bytes, $end) = @_;

    my $c = $self->{connection};
    my $until = time + $c->{deadline};
    my $at = 0;

    do {
        my $left = length($bytes) - $at;
        my $n = $left;

        for my $room ($self->{room}, $c->{room}, $c->{max_frame}) {
            $n = $room if $n > $room;
        }

        if ($n > 0 || $left == 0) {
            my $last = $end && $n == $left;

            $c->put(TSCast::HTTP2::_frame(TSCast::HTTP2::DATA,
                                          $last ? 1 : 0, $self->{id},
                                          substr $bytes, $at, $n))
                or return 0;

            $_->{room} -= $n for $self, $c;
            $self->{sent} += $n;
            $at += $n;

        } else {
            return 0 if $self->{end} || $c->{end} || time > $until;

            TSCast::Reader::pump(0.05, sub {
                $self->{room} > 0 && $c->{room} > 0
            }, $c);
        }

    } while ($at < length $bytes);

    # what the server says meanwhile

    $c->read_some
        while !$c->{end}
              && TSCast::Net::ready($c->{sock}, IO::Poll::POLLIN, 0);

    return !$self->{end};
}


sub finish {
    my ($self) = @_;

    $self->send('', 1);

    return $self;
}


sub status {
    my ($self, $deadline) = @_;

    TSCast::Reader::pump($deadline // $self->{connection}{deadline},
                         sub { $self->{status} || $self->{end} },
                         $self->{connection});

    return $self->{status};
}


sub wait_end {
    my ($self, $deadline) = @_;

    TSCast::Reader::pump($deadline // $self->{connection}{deadline},
                         sub { $self->{end} }, $self->{connection});

    return $self->{end};
}


# RST_STREAM: CANCEL

sub reset {
    my ($self) = @_;

    $self->{connection}->put(TSCast::HTTP2::_frame(TSCast::HTTP2::RST_STREAM,
                                                   0, $self->{id},
                                                   pack 'N', 8));
    $self->{end} ||= 'cancelled';
}


# opens the window of a response that was held

sub release {
    my ($self) = @_;

    $self->{hold} = 0;

    my $out = $self->_owed(1);

    $self->{connection}->put($out) if $out ne '';
}


sub _data {
    my ($self, $bytes) = @_;

    $self->{bytes} += length $bytes;
    $self->{owed} += length $bytes;
    $self->{body} .= $bytes if $self->{keep};
    $self->{check}->feed($bytes);
}


sub _owed {
    my ($self, $all) = @_;

    my $n = $self->{owed};

    return '' if $n == 0
                 || !$all && $n < $self->{connection}{window} / 2;

    $self->{owed} = 0;

    return TSCast::HTTP2::_frame(TSCast::HTTP2::WINDOW_UPDATE, 0,
                                 $self->{id}, pack 'N', $n);
}


sub faults {
    my ($self, %may) = @_;

    my $f = $self->{check}->faults(%may);

    return join ', ', @{$self->{connection}{faults}}, $f ne '' ? $f : ();
}


1;
