# Copyright (C) the tscast authors

package TSCast::Hook;

# A server that is told of events, or asked, and answers as it is told.
#
#     my $hook = TSCast::Hook->new;
#
#     ... notify http://127.0.0.1:@{[$hook->port]}/events; ...
#     $hook->answer('503 Busy');           # from now on
#     $hook->answer('wait');               # until there is another to give
#     $hook->answer('hang');               # not at all
#     $hook->answer('raw garbage');        # or any bytes
#     $hook->events;                       # so far, those that were answered
#     $hook->wait_events(sub { ... });     # until true of the list in @_
#     $hook->end;
#
# Options are those of TSCast::Server, and
#
#     answer     204 No Content
#     by         a sub that gets the head of a request and returns the answer,
#                or undef for the one that was told
#
# Requests, one connection at a time, are in requests() of TSCast::Server;
# connections that hang end with the next call of answer().

use strict;
use warnings;

use JSON::PP;
use File::Temp qw(tempdir);
use Time::HiRes qw(sleep);

use TSCast::Net;
use TSCast::Server;

our @ISA = 'TSCast::Server';


sub new {
    my ($class, %opt) = @_;

    my $dir = tempdir('hook-XXXXXX', TMPDIR => 1, CLEANUP => 1);

    _write("$dir/answer", $opt{answer} // '204 No Content');

    my $self = $class->SUPER::new(sub { _serve($dir, $opt{by}, @_) }, %opt);

    $self->{dir} = $dir;

    return $self;
}


sub answer {
    my ($self, $answer) = @_;

    _write("$self->{dir}/answer", $answer);
}


sub _serve {
    my ($dir, $by, $sock, $head) = @_;

    my ($length) = $head =~ /^Content-Length: (\d+)\r$/m;
    my $body = '';

    while (length $body < ($length // 0)) {
        my $bytes = TSCast::Net::get($sock, 5) // '';
        last if $bytes eq '';
        $body .= $bytes;
    }

    my $answer = $by && $by->($head) // _read("$dir/answer");

    if ($answer eq 'hang' || $answer eq 'wait') {
        my $now;

        do {
            sleep 0.02;
            $now = _read("$dir/answer");
        } while ($now eq $answer);

        return if $answer eq 'hang';

        $answer = $now;
    }

    if ($answer =~ /^raw (.*)/s) {
        TSCast::Net::put($sock, $1);
        return;
    }

    if ($answer =~ /^2/ && $body ne '') {
        open my $out, '>>', "$dir/bodies" or die $!;
        print $out "$body\n";
        close $out;
    }

    TSCast::Net::put($sock, "HTTP/1.1 $answer\r\nContent-Length: 0\r\n\r\n");
}


# bodies that were answered with 2xx, parsed

sub bodies {
    my ($self) = @_;

    return map { decode_json($_) } split /\n/, _read("$self->{dir}/bodies");
}


sub events {
    my ($self) = @_;

    return map { @$_ } $self->bodies;
}


sub wait_events {
    my ($self, $what, $seconds) = @_;

    return TSCast::Net::until_true($seconds // 5,
                                   sub { $what->($self->events) });
}


sub _read {
    my ($file) = @_;

    open my $in, '<', $file or return '';
    local $/;

    return <$in> // '';
}


sub _write {
    my ($file, $text) = @_;

    open my $out, '>', "$file.new" or die $!;
    print $out $text;
    close $out or die $!;
    rename "$file.new", $file or die $!;
}


1;
