# Copyright (C) the tscast authors

package Test::Nginx::Socket;

# A reduced stand-in for CPAN's Test::Nginx::Socket, for machines that have
# Test::Base but not Test::Nginx.  It has what the tests in this tree use and
# nothing else; a test that needs more belongs under the real one.
#
# Functions:
#
#     run_tests repeat_each no_shuffle no_long_string master_on workers
#     worker_connections log_level timeout add_block_preprocessor
#     add_cleanup_handler add_test_cleanup_handler bail_out server_port
#
# Sections:
#
#     main_config http_config config user_files log_level
#     init must_die
#     request (a string, or an array with eval) more_headers raw_request
#     timeout abort wait shutdown ignore_response
#     error_code error_code_like response_headers response_headers_like
#     raw_response_headers_like raw_response_headers_unlike
#     response_body response_body_like response_body_unlike
#     response_body_filters
#     error_log no_error_log grep_error_log grep_error_log_out
#     no_shutdown_error_log
#
# and Test::Base's own ONLY, SKIP and LAST.  $TEST_NGINX_RAND_PORT_n and any
# other $TEST_NGINX_X of the environment are replaced in configurations,
# $ServerPort in expected headers and bodies.  A block is a fresh nginx.
# Environment: TEST_NGINX_BINARY, _LOAD_MODULES, _SERVROOT, _PORT, _LOG_LEVEL,
# _TIMEOUT, _VERBOSE, _NO_SHUFFLE.

use strict;
use warnings;

use Test::Base -base;

use Digest::MD5 ();
use Digest::SHA ();
use IO::Select;
use List::Util qw(shuffle);
use Test::LongString ();
use Time::HiRes qw(sleep time);

use Test::Nginx::Util qw(expand start_nginx stop_nginx error_log_lines
                         forget_error_log);

our @EXPORT = qw(
    run_tests repeat_each no_shuffle no_long_string master_on workers
    worker_connections log_level timeout add_block_preprocessor
    add_cleanup_handler add_test_cleanup_handler bail_out server_port
);

my $repeat = 1;
my $shuffle = !$ENV{TEST_NGINX_NO_SHUFFLE};
my $long_string = 1;

my (@preprocessors, @cleanups, @test_cleanups);


sub repeat_each (;$) { $repeat = shift if @_; return $repeat }
sub no_shuffle () { $shuffle = 0 }
sub no_long_string () { $long_string = 0 }
sub master_on () { $Test::Nginx::Util::MasterProcess = 'on' }
sub workers ($) { $Test::Nginx::Util::Workers = shift }
sub worker_connections ($) { $Test::Nginx::Util::WorkerConnections = shift }
sub log_level ($) { $Test::Nginx::Util::LogLevel = shift }
sub server_port () { return $Test::Nginx::Util::ServerPort }
sub add_block_preprocessor (&) { unshift @preprocessors, shift }
sub add_cleanup_handler ($) { unshift @cleanups, shift }
sub add_test_cleanup_handler ($) { unshift @test_cleanups, shift }

sub timeout (;$) {
    $Test::Nginx::Util::Timeout = shift if @_;

    return $Test::Nginx::Util::Timeout;
}

sub bail_out (@) {
    stop_nginx();
    Test::More::BAIL_OUT(@_);
}


sub run_tests () {
    $ENV{TEST_NGINX_SERVER_PORT} //= server_port();

    my @blocks = Test::Base::blocks();

    for my $block ($shuffle ? shuffle(@blocks) : @blocks) {
        $_->($block) for @preprocessors;

        next if defined $block->SKIP;

        $block->set_value(name => "$0 " . $block->name);
        _run_block($block);

        $_->($block) for @test_cleanups;
    }

    $_->() for @cleanups;
}


sub _run_block ($) {
    my $block = shift;
    my $name = $block->name;

    $Test::Nginx::Util::RandPorts = {};

    my $status = start_nginx($block);

    if (defined $block->must_die) {
        Test::More::isnt($status, 0, "$name - nginx refuses to start");
        _check_error_log($block);
        stop_nginx();
        return;
    }

    bail_out("$name - nginx does not start: " . join '', error_log_lines())
        if $status != 0;

    if (defined $block->init) {
        my $code = 'package Test::Nginx::Util; ' . $block->init . "\n;1";

        eval $code or bail_out("$name - init: $@");
    }

    for (1 .. $repeat) {
        _run_requests($block);
    }

    stop_nginx();

    if (defined(my $pats = $block->no_shutdown_error_log)) {
        my $text = join '', error_log_lines();

        Test::More::unlike($text, _pattern($_),
                           "$name - \"$_\" not in error.log at the end")
            for _patterns($pats);
    }
}


sub _run_requests ($) {
    my $block = shift;

    my @requests = _requests($block);

    for my $i (0 .. $#requests) {
        my $raw = _talk($block, $requests[$i]);

        if (!defined $block->ignore_response) {
            my $res = _parse($block, $raw, $requests[$i] =~ /\AHEAD /);

            _check_response($block, $res, sub {
                my $section = shift;
                my $value = $block->$section;

                return ref $value eq 'ARRAY' ? $value->[$i] : $value;
            });
        }

        sleep $block->wait if $block->wait;

        _check_error_log($block);
    }
}


# the bytes of each request

sub _requests ($) {
    my $block = shift;

    if (defined(my $raw = $block->raw_request)) {
        return ref $raw ? join '', @$raw : $raw;
    }

    my $request = $block->request;

    bail_out($block->name . ' - no request') if !defined $request;

    my @requests = ref $request ? @$request : $request;
    my $more = $block->more_headers // '';

    return map {
        _build($requests[$_], ref $more ? $more->[$_] // '' : $more)
    } 0 .. $#requests;
}


sub _build ($$) {
    my ($text, $more) = @_;

    $text =~ s/\A\s+//;

    my ($line, $body) = split /\n/, $text, 2;
    my ($method, $uri, $version) = split ' ', $line;

    $body //= '';
    $body =~ s/\A\s+|\s+\z//g if $more !~ /^(?:Content-Length|Transfer)/mi;

    my @head = (join(' ', $method, $uri // '/', $version // 'HTTP/1.1'));

    push @head, "Host: $Test::Nginx::Util::ServerName" if $more !~ /^Host:/mi;
    push @head, 'Connection: close' if $more !~ /^Connection/mi;
    push @head, grep { /\S/ && !/^\s*#/ } split /\n/, $more;
    push @head, 'Content-Length: ' . length $body
        if $body ne '' && $more !~ /^(?:Content-Length|Transfer-Encoding):/mi;

    return join("\r\n", @head, '', '') . $body;
}


# sends the request and reads until the server closes

sub _talk ($$) {
    my ($block, $request) = @_;

    my $timeout = $block->timeout // timeout();

    $timeout = $1 / 1000 if $timeout =~ /\A([\d.]+)ms\z/;
    $timeout =~ s/s\z//;

    local $SIG{PIPE} = 'IGNORE';

    my $sock = _connect($timeout)
        or bail_out($block->name . " - cannot connect: $!");

    $sock->blocking(0);

    my $in = '';
    my $at = 0;
    my $select = IO::Select->new($sock);

    for ( ;; ) {
        my $writing = $at < length $request;
        my ($r, $w) = IO::Select::select($select, $writing ? $select : undef,
                                         undef, $timeout);

        if (!defined $r) {
            Test::More::fail($block->name . ' - client socket timed out')
                if !defined $block->abort;
            last;
        }

        if (@$w) {
            my $n = syswrite $sock, $request, 65_536, $at;

            if (defined $n) {
                $at += $n;

                shutdown $sock, $block->shutdown || 1
                    if $at == length $request && defined $block->shutdown;

            } elsif (!$!{EAGAIN}) {
                $at = length $request;
            }
        }

        if (@$r) {
            my $n = sysread $sock, $in, 65_536, length $in;

            last if defined $n && $n == 0 || !defined $n && !$!{EAGAIN};
        }
    }

    close $sock;

    return $in;
}


sub _connect ($) {
    my $timeout = shift;
    my $end = time + $timeout;

    for ( ;; ) {
        my $sock = IO::Socket::INET->new(
            PeerAddr => $Test::Nginx::Util::ServerAddr,
            PeerPort => $Test::Nginx::Util::ServerPortForClient,
            Proto => 'tcp');

        return $sock if $sock || time > $end;

        sleep 0.01;
    }
}


sub _parse ($$$) {
    my ($block, $raw, $is_head) = @_;

    warn "response: [$raw]\n" if $ENV{TEST_NGINX_VERBOSE};

    my ($head, $body) = split /\r\n\r\n/, $raw, 2;

    $head //= '';
    $body //= '';

    my ($code) = $head =~ m{\AHTTP/1\.[01] (\d+)};
    my %headers;

    while ($head =~ /^([^\s:]+):[ \t]*(.*?)[ \t]*\r?$/mg) {
        my $key = lc $1;

        $headers{$key} = exists $headers{$key} ? "$headers{$key}, $2" : $2;
    }

    if ($is_head) {
        $body = '';

    } elsif (($headers{'transfer-encoding'} // '') eq 'chunked') {
        $body = _dechunk($block, $body);

    } elsif (defined $headers{'content-length'}
             && length $body > $headers{'content-length'})
    {
        $body = substr $body, 0, $headers{'content-length'};
    }

    return { code => $code // '', head => "$head\r\n", headers => \%headers,
             body => $body };
}


sub _dechunk ($$) {
    my ($block, $raw) = @_;

    my $body = '';

    while ($raw =~ /\G([0-9A-Fa-f]+)[^\r\n]*\r\n/gc) {
        my $n = hex $1;

        return $body if $n == 0;

        last if pos($raw) + $n + 2 > length $raw;

        $body .= substr $raw, pos $raw, $n;
        pos($raw) += $n;

        last if $raw !~ /\G\r\n/gc;
    }

    Test::More::fail($block->name . ' - chunked body is broken');

    return $body;
}


sub _check_response ($$$) {
    my ($block, $res, $get) = @_;
    my $name = $block->name;

    if (defined(my $like = $get->('error_code_like'))) {
        Test::More::like($res->{code}, qr/$like/, "$name - status code");

    } else {
        Test::More::is($res->{code}, $get->('error_code') // 200,
                       "$name - status code");
    }

    _check_headers($name, $res, $get);

    my $body = $res->{body};

    if (defined(my $filters = $block->response_body_filters)) {
        $filters = [split ' ', $filters] if !ref $filters;
        $filters = [$filters] if ref $filters ne 'ARRAY';

        $body = _filter($name, $_, $body) for @$filters;
    }

    if (defined(my $expected = $get->('response_body'))) {
        $expected =~ s/\$ServerPort\b/server_port()/ge if !ref $expected;
        $expected = expand($expected);

        if (ref $expected) {
            Test::More::like($body, $expected, "$name - response body");

        } elsif ($long_string) {
            Test::LongString::is_string($body, $expected,
                                        "$name - response body");

        } else {
            Test::More::is($body, $expected, "$name - response body");
        }
    }

    if (defined(my $like = $get->('response_body_like'))) {
        Test::More::like($body, qr/$like/s, "$name - response body like");
    }

    if (defined(my $unlike = $get->('response_body_unlike'))) {
        Test::More::unlike($body, qr/$unlike/s, "$name - response body unlike");
    }
}


sub _check_headers ($$$) {
    my ($name, $res, $get) = @_;

    for my $line (split /\n/, $get->('response_headers') // '') {
        next if $line !~ /\S/;

        if ($line =~ /\A\s*!\s*(\S+)/) {
            Test::More::unlike($res->{head}, qr/^\Q$1\E\s*:/mi,
                               "$name - no header $1");
            next;
        }

        my ($key, $value) = $line =~ /\A\s*([^\s:]+)\s*:\s*(.*?)\s*\z/ or next;

        $value =~ s/\$ServerPort\b/server_port()/ge;
        Test::More::is($res->{headers}{lc $key} // '', $value,
                       "$name - header $key");
    }

    for my $line (split /\n/, $get->('response_headers_like') // '') {
        my ($key, $value) = $line =~ /\A\s*([^\s:]+)\s*:\s*(.*?)\s*\z/ or next;

        Test::More::like($res->{headers}{lc $key} // '', qr/^$value$/,
                         "$name - header $key like");
    }

    if (defined(my $like = $get->('raw_response_headers_like'))) {
        Test::More::like($res->{head}, qr/$like/s, "$name - raw headers like");
    }

    if (defined(my $unlike = $get->('raw_response_headers_unlike'))) {
        Test::More::unlike($res->{head}, qr/$unlike/s,
                           "$name - raw headers unlike");
    }
}


sub _filter ($$$) {
    my ($name, $filter, $body) = @_;

    return $filter->($body) if ref $filter eq 'CODE';

    return $filter eq 'md5_hex' ? Digest::MD5::md5_hex($body)
           : $filter eq 'sha1_hex' ? Digest::SHA::sha1_hex($body)
           : $filter eq 'length' ? length $body
           : $filter eq 'uc' ? uc $body
           : $filter eq 'lc' ? lc $body
           : bail_out("$name - unknown filter $filter");
}


sub _patterns ($) {
    my $pats = shift;

    return ref $pats eq 'ARRAY' ? grep { defined } @$pats
           : ref $pats ? $pats
           : grep { $_ ne '' } split /\n+/, $pats;
}


sub _pattern ($) {
    my $pat = shift;

    return ref $pat ? $pat : qr/\Q$pat\E/;
}


# a line that is expected may take a moment: some are written after the client
# has seen the end

sub _check_error_log ($) {
    my $block = shift;
    my $name = $block->name;

    my @wanted = defined $block->error_log ? _patterns($block->error_log) : ();
    my $end = time + 0.5;
    my @lines;

    sleep 0.02;

    for ( ;; ) {
        @lines = error_log_lines();

        my $missing = grep { my $re = _pattern($_); !grep { /$re/ } @lines }
                      @wanted;

        last if !$missing || time > $end;

        sleep 0.02;
    }

    for my $pat (@wanted) {
        my $re = _pattern($pat);

        Test::More::ok(scalar(grep { /$re/ } @lines),
                       "$name - \"$pat\" in error.log")
            or Test::More::diag(join '', grep { !/\[debug\]/ } @lines);
    }

    for my $pat (defined $block->no_error_log ? _patterns($block->no_error_log)
                                              : ())
    {
        my $re = _pattern($pat);

        Test::More::is(join('', grep { /$re/ } @lines), '',
                       "$name - \"$pat\" not in error.log");
    }

    if (defined(my $grep = $block->grep_error_log)) {
        my $re = _pattern($grep);
        my $out = $block->grep_error_log_out;
        my $got = join '', map { /($re)/ ? "$1\n" : () } @lines;

        ref $out ? Test::More::like($got, $out, "$name - grep_error_log_out")
                 : Test::More::is($got, expand($out),
                                  "$name - grep_error_log_out");
    }

    forget_error_log();
}


END {
    local ($?, $!);

    stop_nginx();
}


1;
