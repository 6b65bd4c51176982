# Copyright (C) the tscast authors

package TSCast::WebSocket;

# The client's half of RFC 6455 over bytes: a handshake, frames out, frames in.
# No I/O.

use strict;
use warnings;

use Digest::SHA qw(sha1_base64);
use MIME::Base64 qw(encode_base64);

use constant { TEXT => 1, BINARY => 2, CLOSE => 8, PING => 9, PONG => 10 };

my $GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';


# a request for an upgrade; with the key that it carries

sub request {
    my ($path, %opt) = @_;

    my $key = $opt{key} // encode_base64(pack('N4', map { rand 2**32 } 1 .. 4),
                                         '');

    my @head = ("GET $path HTTP/1.1", 'Host: localhost', 'Upgrade: websocket',
                'Connection: Upgrade', "Sec-WebSocket-Key: $key",
                'Sec-WebSocket-Version: 13');

    push @head, "Sec-WebSocket-Protocol: $opt{protocol}"
        if defined $opt{protocol};

    push @head, @{$opt{headers} || []};

    return (join("\r\n", @head, '', ''), $key);
}


# what the server must answer to a key; section 4.2.2

sub accept_of {
    my ($key) = @_;

    my $sum = sha1_base64($key . $GUID);

    return $sum . '=' x (-length($sum) % 4);
}


# a frame; masked unless told otherwise.  Options: fin, rsv, mask (0 or four
# bytes), len_as ("16" or "64": a length form longer than it has to be)

sub frame {
    my ($opcode, $payload, %opt) = @_;

    $payload //= '';

    my $len = length $payload;
    my $mask = $opt{mask} // pack 'N', rand 2**32;
    my $bit = $mask ? 0x80 : 0;
    my $as = $opt{len_as} // ($len < 126 ? 7 : $len < 65_536 ? 16 : 64);

    my $head = pack 'C', (($opt{fin} // 1) ? 0x80 : 0)
                         | ($opt{rsv} // 0) << 4 | $opcode;

    $head .= $as == 7 ? pack('C', $bit | $len)
             : $as == 16 ? pack('C n', $bit | 126, $len)
             : pack('C Q>', $bit | 127, $len);

    return $head . $payload if !$mask;

    my $pad = $mask x (int($len / 4) + 1);

    return $head . $mask . ($payload ^ substr $pad, 0, $len);
}


sub close_frame {
    my ($code, $reason) = @_;

    return frame(CLOSE, defined $code ? pack('n', $code) . ($reason // '')
                                      : '');
}


# a reader of the server's frames.  feed() gives events: [opcode, payload] of
# whole frames; what breaks the rules is kept in {faults}

sub parser {
    return bless { buf => '', faults => [] }, $_[0];
}


sub feed {
    my ($self, $bytes) = @_;

    $self->{buf} .= $bytes;

    my @events;

    for ( ;; ) {
        my $have = length $self->{buf};

        last if $have < 2;

        my ($b0, $b1) = unpack 'C2', $self->{buf};
        my ($len, $head) = ($b1 & 0x7f, 2);

        if ($len == 126) {
            last if $have < 4;
            ($len, $head) = (unpack('x2 n', $self->{buf}), 4);
            $self->_fault('length is not minimal') if $len < 126;

        } elsif ($len == 127) {
            last if $have < 10;
            ($len, $head) = (unpack('x2 Q>', $self->{buf}), 10);
            $self->_fault('length is not minimal') if $len < 65_536;
        }

        $self->_fault('masked') if $b1 & 0x80;
        $self->_fault('reserved bits') if $b0 & 0x70;
        $self->_fault('long control frame') if $b0 & 8 && $len > 125;
        $self->_fault('fragmented') if !($b0 & 0x80);
        $self->_fault('frame after close') if $self->{closed};

        last if $have < $head + $len;

        my $opcode = $b0 & 15;

        $self->{closed} = 1 if $opcode == CLOSE;

        push @events, [$opcode, substr $self->{buf}, $head, $len];
        substr $self->{buf}, 0, $head + $len, '';
    }

    return @events;
}


sub _fault {
    my ($self, $what) = @_;

    push @{$self->{faults}}, $what if @{$self->{faults}} < 10;
}


1;
