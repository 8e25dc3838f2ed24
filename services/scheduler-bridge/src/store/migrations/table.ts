/** How tables of this database are made: text in any script, ids compared byte by byte. */
export const TABLE = "ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin";
