"""What results are printed as: reports, tables and cells, and one writer for each format; knows no record of the package."""
