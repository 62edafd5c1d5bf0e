interface TableHeadProps {
  readonly names: readonly string[];
  /** The class of a column, by its name. Default: none. */
  readonly classes?: Readonly<Record<string, string>>;
}

/** The head of a table: a column for each name. */
export function TableHead({ names, classes = {} }: TableHeadProps) {
  return (
    <thead>
      <tr>
        {names.map((name) => (
          <th key={name} scope="col" class={classes[name]}>
            {name}
          </th>
        ))}
      </tr>
    </thead>
  );
}
