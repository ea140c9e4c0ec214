package gormstore

import (
	"strings"

	"gorm.io/gorm"
	"gorm.io/gorm/callbacks"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/logger"
	"gorm.io/gorm/migrator"
	"gorm.io/gorm/schema"
)

// sqliteDialect teaches gorm the little of SQLite's language that we use. The
// published dialects are bound to a C driver or frozen. It describes no
// column types: the schema comes from the migrations alone.
type sqliteDialect struct{ conn gorm.ConnPool }

// Name implements gorm.Dialector.
func (sqliteDialect) Name() string { return "sqlite" }

// Initialize implements gorm.Dialector.
func (d sqliteDialect) Initialize(db *gorm.DB) error {
	callbacks.RegisterDefaultCallbacks(db, &callbacks.Config{
		CreateClauses: []string{"INSERT", "VALUES", "ON CONFLICT", "RETURNING"},
		UpdateClauses: []string{"UPDATE", "SET", "FROM", "WHERE", "RETURNING"},
		DeleteClauses: []string{"DELETE", "FROM", "WHERE", "RETURNING"},
	})
	// SQLite locks the whole database for a writer and knows no row locks.
	db.ClauseBuilders["FOR"] = func(clause.Clause, clause.Builder) {}
	db.ConnPool = d.conn
	return nil
}

// Migrator implements gorm.Dialector. Nothing calls it: AutoMigrate is not used.
func (d sqliteDialect) Migrator(db *gorm.DB) gorm.Migrator {
	return migrator.Migrator{Config: migrator.Config{DB: db, Dialector: d}}
}

// DataTypeOf implements gorm.Dialector.
func (sqliteDialect) DataTypeOf(field *schema.Field) string { return string(field.DataType) }

// DefaultValueOf implements gorm.Dialector.
func (sqliteDialect) DefaultValueOf(*schema.Field) clause.Expression {
	return clause.Expr{SQL: "NULL"}
}

// BindVarTo implements gorm.Dialector.
func (sqliteDialect) BindVarTo(w clause.Writer, _ *gorm.Statement, _ any) { _ = w.WriteByte('?') }

// QuoteTo implements gorm.Dialector: every part of a dotted name is quoted,
// and a quote within doubled.
func (sqliteDialect) QuoteTo(w clause.Writer, name string) {
	for i, part := range strings.Split(name, ".") {
		if i > 0 {
			_ = w.WriteByte('.')
		}
		_ = w.WriteByte('`')
		_, _ = w.WriteString(strings.ReplaceAll(part, "`", "``"))
		_ = w.WriteByte('`')
	}
}

// Explain implements gorm.Dialector.
func (sqliteDialect) Explain(sql string, vars ...any) string {
	return logger.ExplainSQL(sql, nil, `'`, vars...)
}
