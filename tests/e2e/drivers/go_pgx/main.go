// pgx v4 with its own interface: named statements, batches, COPY in binary.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/jackc/pgconn"
	"github.com/jackc/pgx/v4"
)

var (
	who = os.Getenv("DRIVER_ID")
	ctx = context.Background()
)

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func must(got, want interface{}) {
	if got != want {
		panic(fmt.Sprintf("got %v, want %v", got, want))
	}
}

func count(db *pgx.Conn) (rows int) {
	check(db.QueryRow(ctx, "SELECT count(*) FROM work WHERE who = $1", who).Scan(&rows))
	return rows
}

func transactions(db *pgx.Conn) {
	insert := func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, "INSERT INTO work VALUES ($1, 1)", who)
		return err
	}
	check(db.BeginFunc(ctx, insert))
	undone := errors.New("roll back")
	err := db.BeginFunc(ctx, func(tx pgx.Tx) error {
		check(insert(tx))
		return undone
	})
	must(err, undone)
	must(count(db), 1)
}

func batch(db *pgx.Conn) {
	questions := &pgx.Batch{}
	for n := 0; n < 20; n++ {
		questions.Queue("SELECT $1::int * 2", n)
	}
	answers := db.SendBatch(ctx, questions)
	for n := 0; n < 20; n++ {
		var got int
		check(answers.QueryRow().Scan(&got))
		must(got, n*2)
	}
	check(answers.Close())
}

func main() {
	db, err := pgx.Connect(ctx, "") // from PGHOST and the others
	check(err)

	var number int64
	var text string
	var nothing *int
	check(db.QueryRow(ctx, "SELECT 9007199254740993::int8, 'snö', NULL::int").Scan(&number, &text, &nothing))
	must(fmt.Sprintf("%v %v %v", number, text, nothing == nil), "9007199254740993 snö true")

	for n := 0; n < 20; n++ {
		var got int
		check(db.QueryRow(ctx, "SELECT $1::int * 3", n).Scan(&got))
		must(got, n*3)
	}
	transactions(db)
	batch(db)

	_, err = db.Exec(ctx, "SELECT 1/$1::int", 0)
	var refusal *pgconn.PgError
	must(errors.As(err, &refusal) && refusal.Code == "22012", true)
	must(count(db), 1)

	rows, err := db.Query(ctx, "SELECT n, repeat('x', 500) FROM generate_series(1, 20000) AS n")
	check(err)
	large := 0
	for rows.Next() {
		large++
	}
	check(rows.Err())
	must(large, 20000)

	copied, err := db.CopyFrom(ctx, pgx.Identifier{"work"}, []string{"who", "n"},
		pgx.CopyFromSlice(1000, func(int) ([]interface{}, error) { return []interface{}{who, 7}, nil }))
	check(err)
	must(copied, int64(1000))
	check(db.Close(ctx))
	fmt.Println("OK")
}
