// lib/pq through database/sql.
package main

import (
	"database/sql"
	"fmt"
	"os"

	"github.com/lib/pq"
)

var who = os.Getenv("DRIVER_ID")

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

func count(db *sql.DB) (rows int) {
	check(db.QueryRow("SELECT count(*) FROM work WHERE who = $1", who).Scan(&rows))
	return rows
}

func transactions(db *sql.DB) {
	for _, commit := range []bool{true, false} {
		tx, err := db.Begin()
		check(err)
		_, err = tx.Exec("INSERT INTO work VALUES ($1, 1)", who)
		check(err)
		if commit {
			check(tx.Commit())
		} else {
			check(tx.Rollback())
		}
	}
	must(count(db), 1)
}

func copyIn(db *sql.DB) {
	tx, err := db.Begin()
	check(err)
	rows, err := tx.Prepare(pq.CopyIn("work", "who", "n"))
	check(err)
	for n := 0; n < 1000; n++ {
		_, err = rows.Exec(who, 7)
		check(err)
	}
	_, err = rows.Exec()
	check(err)
	check(rows.Close())
	check(tx.Commit())
	must(count(db), 1001)
}

func main() {
	db, err := sql.Open("postgres", "") // from PGHOST and the others
	check(err)
	db.SetMaxOpenConns(3)

	var number int64
	var text string
	var truth bool
	var nothing sql.NullInt64
	check(db.QueryRow("SELECT 9007199254740993::int8, 'snö', true, NULL::int").Scan(&number, &text, &truth, &nothing))
	must(fmt.Sprintf("%v %v %v %v", number, text, truth, nothing.Valid), "9007199254740993 snö true false")

	twice, err := db.Prepare("SELECT $1::int * 2")
	check(err)
	for n := 0; n < 20; n++ {
		var got int
		check(twice.QueryRow(n).Scan(&got))
		must(got, n*2)
	}
	transactions(db)

	_, err = db.Exec("SELECT 1/0")
	must(string(err.(*pq.Error).Code), "22012")
	must(count(db), 1)

	rows, err := db.Query("SELECT n, repeat('x', 500) FROM generate_series(1, 20000) AS n")
	check(err)
	large := 0
	for rows.Next() {
		large++
	}
	check(rows.Err())
	must(large, 20000)

	copyIn(db)
	check(db.Close())
	fmt.Println("OK")
}
