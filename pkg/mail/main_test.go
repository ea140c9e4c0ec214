package mail_test

import (
	"os"
	"testing"

	"github.com/portico-id/portico/storage/throwaway"
)

func TestMain(m *testing.M) { os.Exit(throwaway.Main(m)) }
