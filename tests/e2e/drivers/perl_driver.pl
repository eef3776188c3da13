use strict;
use warnings;
use utf8;
use DBI;

my $who = $ENV{DRIVER_ID};

sub must {
    my ($got, $want) = @_;
    die "got '$got', want '$want'" unless $got eq $want;
}

my $db = DBI->connect('dbi:Pg:', $ENV{PGUSER}, $ENV{PGPASSWORD},
    {AutoCommit => 1, RaiseError => 1, PrintError => 0});
my $count = sub { $db->selectrow_array('SELECT count(*) FROM work WHERE who = ?', undef, $who) };

my @row = $db->selectrow_array("SELECT 42, 1.50::numeric, 'snö'::text, true, NULL::int, ARRAY[1, 2]");
must(join('|', map { ref $_ ? "@$_" : $_ // 'null' } @row), '42|1.50|snö|1|null|1 2');

my $twice = $db->prepare('SELECT ?::int * 2');
$twice->{pg_switch_prepared} = 1;    # named from the first execution on
for my $number (0 .. 19) {
    $twice->execute($number);
    must(($twice->fetchrow_array)[0], $number * 2);
}

$db->begin_work;
$db->do('INSERT INTO work VALUES (?, 1)', undef, $who);
$db->commit;
$db->begin_work;
$db->do('INSERT INTO work VALUES (?, 2)', undef, $who);
$db->rollback;
must($count->(), 1);

eval { $db->do('SELECT 1/0'); 1 } and die 'no error';
must($db->state,  '22012');
must($count->(), 1);

my $large = $db->prepare("SELECT n, repeat('x', 500) FROM generate_series(1, 20000) AS n");
$large->execute;
my $rows = 0;
$rows++ while $large->fetch;
must($rows, 20000);

$db->do('COPY work FROM STDIN');
$db->pg_putcopydata("$who\t7\n") for 1 .. 1000;
$db->pg_putcopyend;
$db->do("COPY (SELECT n FROM work WHERE who = '$who' AND n = 7) TO STDOUT");
my ($line, $copied) = ('', 0);
$copied++ while $db->pg_getcopydata($line) >= 0;
must($copied, 1000);
$twice->finish;
$db->disconnect;
print "OK\n";
