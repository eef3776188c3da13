<?php
$who = getenv('DRIVER_ID');

function must($got, $want) {
    if ($got !== $want) {
        throw new Exception('got ' . var_export($got, true) . ', want ' . var_export($want, true));
    }
}

$db = new PDO(sprintf('pgsql:host=%s;port=%s;dbname=%s', getenv('PGHOST'), getenv('PGPORT'), getenv('PGDATABASE')),
    getenv('PGUSER'), getenv('PGPASSWORD'), [PDO::ATTR_ERRMODE => PDO::ERRMODE_EXCEPTION]);
$count = function () use ($db, $who) {
    $asked = $db->prepare('SELECT count(*) FROM work WHERE who = ?');
    $asked->execute([$who]);
    return $asked->fetchColumn();
};

must($db->query("SELECT 42, 1.50::numeric, 'snö'::text, true, NULL::int")->fetch(PDO::FETCH_NUM),
    [42, '1.50', 'snö', true, null]);

$twice = $db->prepare('SELECT ?::int * 2');
for ($number = 0; $number < 20; $number++) {
    $twice->execute([$number]);
    must($twice->fetchColumn(), $number * 2);
}

$insert = $db->prepare('INSERT INTO work VALUES (?, ?)');
$db->beginTransaction();
$insert->execute([$who, 1]);
$db->commit();
$db->beginTransaction();
$insert->execute([$who, 2]);
$db->rollBack();
must($count(), 1);

try {
    $db->query('SELECT 1/0');
    throw new Exception('no error');
} catch (PDOException $error) {
    must($error->getCode(), '22012');
    must($count(), 1);
}

$rows = 0;
foreach ($db->query("SELECT n, repeat('x', 500) FROM generate_series(1, 20000) AS n") as $row) {
    $rows++;
}
must($rows, 20000);

$db->pgsqlCopyFromArray('work', array_fill(0, 1000, "$who\t7"));
must($count(), 1001);
must(count($db->pgsqlCopyToArray("(SELECT n FROM work WHERE who = '$who' AND n = 7)")), 1000);
echo "OK\n";
